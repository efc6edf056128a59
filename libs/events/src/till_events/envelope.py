"""What is known about an event besides its content: CloudEvents 1.0, in binary mode on Kafka (attributes as `ce_*` headers)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

SPEC_VERSION = "1.0"
SCHEMA_BASE = "https://tillstream.dev/contracts/events"

Headers = Sequence[tuple[str, bytes]]

_SPEC_VERSION = ("ce_specversion", SPEC_VERSION.encode())
_CONTENT_TYPE = ("content-type", b"application/json")
_json = msgspec.json.Encoder()


class UnreadableEnvelope(ValueError):
    """The headers are not those of one of our events."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of one recorded event.

    `position` is its place in the owner's log (1, 2, 3, … without gaps), `sequence` its place in its stream (1, 2, 3, …).
    `key` decides the partition. `actor` is a role and a staff or system id, never a name. All times are UTC.
    """

    id: str
    type: str
    source: str
    subject: str
    key: str
    sequence: int
    position: int
    time: datetime
    recorded_at: datetime
    correlation_id: str
    causation_id: str | None = None
    actor: str | None = None
    store_id: str | None = None
    traceparent: str | None = None


def to_headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of the event; the same envelope always gives the same bytes."""
    headers = [
        _SPEC_VERSION,
        ("ce_id", envelope.id.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", format_time(envelope.time)),
        ("ce_dataschema", _schema(envelope.type)),
        ("ce_recordedat", format_time(envelope.recorded_at)),
        ("ce_sequence", b"%d" % envelope.sequence),
        ("ce_logposition", b"%d" % envelope.position),
        ("ce_partitionkey", envelope.key.encode()),
        ("ce_correlationid", envelope.correlation_id.encode()),
        _CONTENT_TYPE,
    ]
    if envelope.causation_id is not None:
        headers.append(("ce_causationid", envelope.causation_id.encode()))
    if envelope.actor is not None:
        headers.append(("ce_actor", envelope.actor.encode()))
    if envelope.store_id is not None:
        headers.append(("ce_storeid", envelope.store_id.encode()))
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    return headers


def from_headers(headers: Headers) -> Envelope:
    """Read the attributes back; raises `UnreadableEnvelope` when one is missing or not what it should be."""
    try:
        return _envelope({name: value.decode() for name, value in headers})
    except UnreadableEnvelope:
        raise
    except (ValueError, AttributeError) as error:
        raise UnreadableEnvelope("a header cannot be read as text, a number or a time") from error


def to_attributes(envelope: Envelope) -> dict[str, str]:
    """Return the CloudEvents attributes by name, all of them text; `from_attributes` reads them back."""
    return {name.removeprefix("ce_"): value.decode() for name, value in to_headers(envelope) if name != "content-type"}


def from_attributes(attributes: Mapping[str, str]) -> Envelope:
    """Read an envelope from CloudEvents attributes by name; raises `UnreadableEnvelope` as `from_headers` does."""
    try:
        return _envelope({name if name == "traceparent" else f"ce_{name}": text for name, text in attributes.items()})
    except UnreadableEnvelope:
        raise
    except (ValueError, TypeError) as error:
        raise UnreadableEnvelope("an attribute cannot be read as text, a number or a time") from error


def _envelope(found: Mapping[str, str]) -> Envelope:
    try:
        if found["ce_specversion"] != SPEC_VERSION:
            raise UnreadableEnvelope("this version of CloudEvents is not known here")
        return Envelope(
            id=found["ce_id"],
            type=found["ce_type"],
            source=found["ce_source"],
            subject=found["ce_subject"],
            key=found["ce_partitionkey"],
            sequence=int(found["ce_sequence"]),
            position=int(found["ce_logposition"]),
            time=_moment(found["ce_time"]),
            recorded_at=_moment(found["ce_recordedat"]),
            correlation_id=found["ce_correlationid"],
            causation_id=found.get("ce_causationid"),
            actor=found.get("ce_actor"),
            store_id=found.get("ce_storeid"),
            traceparent=found.get("traceparent"),
        )
    except KeyError as missing:
        raise UnreadableEnvelope(f"{missing} is missing") from missing


def schema_url(type_name: str) -> str:
    """Return where the JSON Schema of a type is published, e.g. `…/order/OrderPlaced.v1.json`."""
    _, owner, name, major = type_name.split(".")
    return f"{SCHEMA_BASE}/{owner}/{name}.{major}.json"


@lru_cache(maxsize=1024)
def _schema(type_name: str) -> bytes:
    return schema_url(type_name).encode()


def format_time(moment: datetime) -> bytes:
    """Return RFC 3339 in UTC with microseconds, e.g. `2026-11-22T09:30:00.000000Z`."""
    # ten times as fast as `isoformat`, but it keeps other offsets, and leaves out microseconds where there are none
    text = _json.encode(moment)[1:-1]
    if len(text) == len("2026-11-22T09:30:00.000001Z"):
        return text
    if len(text) == len("2026-11-22T09:30:00Z"):
        return text[:-1] + b".000000Z"
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("a time without an offset")
    return moment
