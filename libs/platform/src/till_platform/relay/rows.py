"""A row of the log as the record it is published as."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from till_events.envelope import Envelope, to_headers

COLUMNS = """
position, stream, sequence, id::text, type, key, data, occurred_at, recorded_at,
correlation_id, causation_id, actor, store_id, traceparent, public
"""


@dataclass(slots=True)
class Outgoing:
    """A record on its way to a partition of the topic."""

    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def headers_of(row: Sequence[Any], source: str) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of a row of the log: the same row always gives the same bytes."""
    return to_headers(envelope_of(row, source))


def envelope_of(row: Sequence[Any], source: str) -> Envelope:
    """Return what a row of the log says about its event."""
    position, stream, sequence, event_id, kind, key, _, occurred_at, recorded_at, *rest = row
    correlation_id, causation_id, actor, store_id, traceparent, _ = rest
    return Envelope(
        id=event_id,
        type=kind,
        source=source,
        subject=stream,
        key=key,
        sequence=sequence,
        position=position,
        time=occurred_at,
        recorded_at=recorded_at,
        correlation_id=correlation_id,
        causation_id=causation_id,
        actor=actor,
        store_id=store_id,
        traceparent=traceparent,
    )
