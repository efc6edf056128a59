"""The next signed head of a log, worked out from the one before it and the events since."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache

import msgspec

from till_events import catalogue
from till_events.audit import LogSigned, statement
from till_events.base import declarations
from till_events.chain import START, event_hash, link, mark
from till_events.envelope import Envelope
from till_events.topics import source_of
from till_platform.audit.keys import PublicKey, SigningKey

assert catalogue  # importing it declares every event


class LogBroken(Exception):
    """The log is not what it was when it was last signed: nothing more is signed until somebody has looked into it."""


Found = tuple[Envelope, bytes, bool]
"""An event of the log: what is known about it, its bytes, and whether it is public."""


@cache
def head_class(service: str) -> type[LogSigned]:
    """Return the event by which a service says that its log was signed."""
    return next(
        declared.cls for declared in declarations() if declared.owner == service and issubclass(declared.cls, LogSigned)
    )


def stream_of(service: str) -> str:
    """Return the stream of a service's signed heads."""
    return f"signatures-{service}"


def next_head(
    service: str,
    last: LogSigned | None,
    events: Iterable[Found],
    key: SigningKey,
    now: datetime,
    *,
    next_key: PublicKey | None = None,
) -> LogSigned:
    """Return the signed head over `events`: those that follow the last head's position, in order, at least one. Raises `LogBroken`."""
    since = last.position if last else 0
    chain, public_chain = since_chains = chains_of(last)
    position, marks = since, []
    for envelope, data, public in events:
        position += 1
        if envelope.position != position:
            raise LogBroken(f"position {position} is missing")
        found = event_hash(envelope, data, public=public)
        marks.append(mark(found, public=public))
        chain = link(chain, found)
        if public:
            public_chain = link(public_chain, found)
    unsigned = head_class(service)(
        occurred_at=now,
        source=source_of(service),
        since=since,
        since_hash=since_chains[0].hex(),
        since_public_hash=since_chains[1].hex(),
        position=position,
        hash=chain.hex(),
        public_hash=public_chain.hex(),
        marks="".join(marks),
        key_id=key.public.id,
        signature="",
        next_key=next_key.raw.hex() if next_key else None,
    )
    return msgspec.structs.replace(unsigned, signature=key.sign(statement(unsigned)))


def chains_of(head: LogSigned | None) -> tuple[bytes, bytes]:
    """Return where both chains stand after a head, or at the beginning of a log."""
    return (bytes.fromhex(head.hash), bytes.fromhex(head.public_hash)) if head else (START, START)
