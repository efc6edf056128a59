"""The hash of an event and the chain of them: what proves years later that a log is still what was recorded. See `docs/audit.md`.

Two chains run over a log: one over every event, one over the public ones only, so that whoever has nothing but the topic can check it too.
"""

import hashlib

from till_events.envelope import Envelope, format_time

START = bytes(32)
"""What both chains begin with, in front of position 1."""

TAG = b"tillstream.event.v1"
MARK_LENGTH = 13


def canonical(envelope: Envelope, data: bytes, *, public: bool) -> bytes:
    """Return the one sequence of bytes that stands for an event: its parts as netstrings (`5:hello,`), an absent part as `-,`."""
    return b"".join(
        b"-," if part is None else b"%d:%b," % (len(part), part) for part in _parts(envelope, data, public=public)
    )


def event_hash(envelope: Envelope, data: bytes, *, public: bool) -> bytes:
    """Return the hash of one event by itself: SHA-256 of its canonical bytes."""
    return hashlib.sha256(canonical(envelope, data, public=public)).digest()


def link(before: bytes, found: bytes) -> bytes:
    """Return the hash of a chain after one more event: SHA-256 of the chain's hash in front of it and the event's own."""
    return hashlib.sha256(before + found).digest()


def mark(found: bytes, *, public: bool) -> str:
    """Return by what an event is recognised in a signed head: `+` or, if it is private, `-`, and 12 hexadecimal digits of its hash."""
    return f"{'+' if public else '-'}{found[:6].hex()}"


def _parts(envelope: Envelope, data: bytes, *, public: bool) -> tuple[bytes | None, ...]:
    return (
        TAG,
        envelope.source.encode(),
        b"%d" % envelope.position,
        envelope.subject.encode(),
        b"%d" % envelope.sequence,
        envelope.id.encode(),
        envelope.type.encode(),
        envelope.key.encode(),
        b"1" if public else b"0",
        format_time(envelope.time),
        format_time(envelope.recorded_at),
        envelope.correlation_id.encode(),
        _text(envelope.causation_id),
        _text(envelope.actor),
        _text(envelope.store_id),
        _text(envelope.traceparent),
        data,
    )


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode()
