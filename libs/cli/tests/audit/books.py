"""Logs as a service keeps and signs them, made in memory, and what somebody may do to their export."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from till_events.audit import LogSigned
from till_events.chain import START, event_hash, link
from till_events.codec import encode, type_of
from till_events.envelope import Envelope
from till_platform.audit.heads import next_head, stream_of
from till_platform.audit.keys import PublicKey, SigningKey, new_key
from tillstream.audit.check import Check, Entry, Verdict
from tillstream.exports.lines import to_line

KEY, NEXT_KEY, STRANGERS_KEY = (SigningKey(new_key()) for _ in range(3))
SOURCE = "/tillstream/order"
DAWN = datetime(2026, 11, 1, 6, tzinfo=UTC)


class Book:
    """A log of the order service. Every third event is private."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.last: LogSigned | None = None
        self._heads = 0

    def record(self, number: int = 1) -> "Book":
        """Record so many sales."""
        for _ in range(number):
            place = len(self.entries) + 1
            self._write(
                "tillstream.order.Sold.v1", f"sale-{place}", 1, b'{"minor":%d,"text":"z\xc5\x82 \\"x\\""}' % place
            )
        return self

    def sign(self, key: SigningKey = KEY, next_key: PublicKey | None = None) -> "Book":
        """Sign what is unsigned."""
        since = self.last.position if self.last else 0
        found = [(entry.envelope, entry.data, entry.public) for entry in self.entries[since:]]
        now = DAWN + timedelta(hours=len(self.entries))
        self.last = next_head("order", self.last, found, key, now, next_key=next_key)
        self._heads += 1
        self._write(type_of(self.last), stream_of("order"), self._heads, encode(self.last))
        return self

    def _write(self, kind: str, stream: str, sequence: int, data: bytes) -> None:
        position = len(self.entries) + 1
        moment = DAWN + timedelta(minutes=position, microseconds=position)
        envelope = Envelope(
            id=str(UUID(int=position)),
            type=kind,
            source=SOURCE,
            subject=stream,
            key=stream,
            sequence=sequence,
            position=position,
            time=moment,
            recorded_at=moment + timedelta(seconds=1),
            correlation_id=f"c-{position}",
            actor="cashier:17" if position % 2 else None,
            store_id="łódź-1" if position % 5 else None,
        )
        public = stream == stream_of("order") or position % 3 != 0
        self.entries.append(Entry(envelope, data, public, self._chain_with(envelope, data, public=public)))

    def _chain_with(self, envelope: Envelope, data: bytes, *, public: bool) -> bytes:
        before = self.entries[-1].chain if self.entries else START
        assert before is not None
        return link(before, event_hash(envelope, data, public=public))

    @property
    def export(self) -> list[bytes]:
        return [to_line(entry) for entry in self.entries]


def checked(entries: Sequence[Entry], *, key: SigningKey = KEY, whole: bool = True) -> Verdict:
    """What the check says of a whole log, or of the public events of one."""
    check = Check(SOURCE, [key.public], whole=whole)
    for entry in entries:
        if whole or entry.public:
            check.take(entry)
    return check.verdict()


def forged(book: Book, position: int, change: Callable[[Entry], Entry]) -> list[Entry]:
    """The log after a careful forger was there: one event is another, and every hash beside an event fits again."""
    entries = list(book.entries)
    entries[position - 1] = change(entries[position - 1])
    return rechained(entries)


def rechained(entries: Sequence[Entry]) -> list[Entry]:
    chain, made = START, []
    for entry in entries:
        chain = link(chain, event_hash(entry.envelope, entry.data, public=entry.public))
        made.append(replace(entry, chain=chain))
    return made


def member(line: bytes, name: str) -> object:
    return json.loads(line)[name]
