"""Ours in B9: the worker with safeties taken out. `python weakened.py repeats,letters <name> worker`.

Production code has no switch for any of them: they are replaced here, in the benchmark's wiring, by the least that still does the job.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

from prometheus_client import Counter, Gauge, Histogram

from till_events.codec import decode
from till_platform import process
from till_platform.batch import Fact
from till_platform.telemetry import metrics
from till_platform.worker import transaction
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.measures import Measures
from till_platform.worker.reading import (
    KEY,
    POSITION,
    PREVIOUS,
    TYPE,
    Entry,
    Letter,
    Reader,
    Reading,
    Record,
    decoded,
)

_MOVE = """
UPDATE checkpoint SET next_offset = step.next_offset, last_position = step.last_position
FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS step (topic, partition, next_offset, last_position)
WHERE consumer = %s AND checkpoint.topic = step.topic AND checkpoint.partition = step.partition
"""


class NoRepeats(Reader):
    """Takes whatever comes: positions are not looked at, so neither a repeat nor a hole is known. What cannot be read becomes a letter."""

    def read_on(self, partition: Partition, records: Sequence[Record], begin: Cursor, reading: Reading) -> None:
        reading.before.setdefault(partition, begin)
        entries, wanted, trust = reading.entries, self.wanted_of(partition[0]), self._trust
        for record in records:
            headers = record.headers
            try:
                _, _, (one, kind), (two, key) = self.picked[len(headers)](headers)
                if one != TYPE or two != KEY:
                    _, _, (_, kind), (_, key) = self.pick(headers)
            except KeyError:
                letter = Letter(partition, record, "unreadable-envelope", "a header is missing")
                entries.append(Entry(partition, record, Cursor(record.offset + 1), letter=letter))
                continue
            name = wanted.get(kind)
            entry = Entry(partition, record, Cursor(record.offset + 1))
            if (name is None or trust is not None) and (doubt := self._doubt(record, partition, kind)):
                entry.letter = Letter(partition, record, "forged", doubt)
                entries.append(entry)
            elif name is not None or kind.rsplit(b".v", 1)[0] in self._families:
                decoded(entry, kind, name, key, entries)
        reading.after[partition] = Cursor(records[-1].offset + 1)


class NoLetters(Reader):
    """Knows repeats and holes, and stops at the first record that it cannot read."""

    def read_on(self, partition: Partition, records: Sequence[Record], begin: Cursor, reading: Reading) -> None:
        reading.before.setdefault(partition, begin)
        cursor = reading.after.get(partition, begin)
        for record in records:
            at, after, kind, key = self.needed(record)
            position = int(at)
            if position <= cursor.last_position:
                reading.repeats += 1
                cursor = Cursor(record.offset + 1, cursor.last_position)
            elif int(after) != cursor.last_position:
                cursor = cursor._replace(hole=int(after))
            else:
                cursor = Cursor(record.offset + 1, position)
                self.believe(record, partition, cursor, kind, key, reading)
        reading.after[partition] = cursor

    def needed(self, record: Record) -> tuple[bytes, bytes, bytes, bytes]:
        (one, at), (two, after), (three, kind), (four, key) = self.picked[len(record.headers)](record.headers)
        if one != POSITION or two != PREVIOUS or three != TYPE or four != KEY:
            (_, at), (_, after), (_, kind), (_, key) = self.pick(record.headers)
        return at, after, kind, key

    def believe(
        self, record: Record, partition: Partition, after: Cursor, kind: bytes, key: bytes, reading: Reading
    ) -> None:
        if name := self._wanted.get(kind):
            fact = Fact(decode(name, record.value or b""), record.headers, key.decode(), *partition, record.offset)
            reading.entries.append(Entry(partition, record, after, fact))


class Neither(NoLetters):
    """Takes whatever comes, and stops at the first record that it cannot read."""

    def read_on(self, partition: Partition, records: Sequence[Record], begin: Cursor, reading: Reading) -> None:
        reading.before.setdefault(partition, begin)
        for record in records:
            _, _, kind, key = self.needed(record)
            self.believe(record, partition, Cursor(record.offset + 1), kind, key, reading)
        reading.after[partition] = Cursor(records[-1].offset + 1)


class Unmeasured(Measures):
    """Tells nothing about itself."""

    def observe(self, *_: Any) -> None:
        pass

    def taken(self, *_: Any) -> None:
        pass


class Silent:
    """A figure that nobody keeps."""

    def labels(self, *_: Any) -> "Silent":
        return self

    def inc(self, *_: Any) -> None:
        pass

    observe = set = set_function = remove = inc

    def time(self) -> AbstractContextManager[None]:
        return nullcontext()


def move_anyway(
    connection: Any, consumer: str, steps: Sequence[tuple[Partition, Cursor, Cursor]]
) -> Callable[[], None]:
    """Move the checkpoints wherever they stand."""
    columns = [
        [topic for (topic, _), _, _ in steps],
        [number for (_, number), _, _ in steps],
        [new.next_offset for _, _, new in steps],
        [new.last_position for _, _, new in steps],
    ]
    connection.execute(_MOVE, [*columns, consumer])
    return lambda: None


def without_fence() -> None:
    patch.object(transaction, "advance", move_anyway).start()


def without_repeats() -> None:
    patch.object(process, "Reader", NoRepeats).start()


def without_letters() -> None:
    patch.object(process, "Reader", Neither if process.Reader is NoRepeats else NoLetters).start()
    patch.object(transaction, "parked_keys", lambda *_: set()).start()
    patch.object(transaction, "without_settled", lambda _connection, _consumer, entries: entries).start()
    patch.object(transaction, "sort_out", lambda entries, _: (entries, [])).start()
    patch.object(transaction, "bury", lambda *_: None).start()


def without_telemetry() -> None:
    for name, figure in vars(metrics).items():
        if isinstance(figure, Counter | Gauge | Histogram):
            patch.object(metrics, name, Silent()).start()
    patch.object(process, "Measures", Unmeasured).start()
    patch.object(transaction, "projecting", lambda *_: nullcontext()).start()


SAFETIES: dict[str, Callable[[], None]] = {
    "fence": without_fence,
    "repeats": without_repeats,
    "letters": without_letters,
    "telemetry": without_telemetry,
}
"""By name, in the order in which they are taken out."""

if __name__ == "__main__":
    from projector import main

    chosen = sys.argv.pop(1).split(",")
    for name, take_out in SAFETIES.items():
        if name in chosen:
            take_out()
    main()
