"""The page that auditors read says what the code does, down to the last digit of its example."""

import hashlib
import re
from datetime import datetime
from pathlib import Path

from till_events.chain import START, canonical, event_hash, link, mark
from till_events.envelope import Envelope

PAGE = (Path(__file__).parents[4] / "docs" / "audit.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```text\n(.+)\n```", PAGE)
TOLD = dict(re.findall(r"^\| ([a-z][^|]+?) \| `([^`]+)` \|$", PAGE, re.MULTILINE))


def parts_of(text: bytes) -> list[bytes | None]:
    """Read netstrings, and `-,` for what is absent."""
    parts: list[bytes | None] = []
    while text:
        if text.startswith(b"-,"):
            parts, text = [*parts, None], text[2:]
            continue
        length, _, rest = text.partition(b":")
        parts, text = [*parts, rest[: int(length)]], rest[int(length) + 1 :]
    return parts


def text(part: bytes | None) -> str | None:
    return part.decode() if part is not None else None


def test_the_worked_example_is_worked_out_right():
    tag, source, position, stream, sequence, event_id, kind, key, public, time, recorded, *ids, data = parts_of(
        EXAMPLE.encode()
    )
    correlation, causation, actor, store, traceparent = map(text, ids)
    envelope = Envelope(
        id=text(event_id), type=text(kind), source=text(source), subject=text(stream), key=text(key), sequence=int(sequence),
        position=int(position), time=datetime.fromisoformat(time.decode()), recorded_at=datetime.fromisoformat(recorded.decode()),
        correlation_id=correlation,
        causation_id=causation, actor=actor, store_id=store, traceparent=traceparent,
    )  # fmt: skip
    assert (tag, public) == (b"tillstream.event.v1", b"1")
    assert canonical(envelope, data, public=True) == EXAMPLE.encode()
    found = event_hash(envelope, data, public=True)
    assert TOLD["hash of the event"] == found.hex() == hashlib.sha256(EXAMPLE.encode()).hexdigest()
    assert TOLD["chain after it, at position 1"] == link(START, found).hex()
    assert TOLD["its mark"] == mark(found, public=True)
    assert mark(found, public=False) == "-" + TOLD["its mark"][1:]
