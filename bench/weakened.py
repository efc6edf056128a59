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
from till_platform.worker.reading import Entry, Letter, Reader, Reading, Record

_MOVE = """
UPDATE checkpoint SET next_offset = step.next_offset, last_position = step.last_position
FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS step (topic, partition, next_offset, last_position)
WHERE consumer = %s AND checkpoint.topic = step.topic AND checkpoint.partition = step.partition
"""


class NoRepeats(Reader):
    """Takes whatever comes: positions are not looked at, so neither a repeat nor a hole is known. What cannot be read becomes a letter."""

    def _take(self, record: Record, partition: Partition, cursor: Cursor, reading: Reading) -> Cursor:  # noqa: ARG002
        headers, after = dict(record.headers), Cursor(record.offset + 1)
        try:
            kind, _ = headers["ce_type"], headers["ce_partitionkey"]
        except KeyError:
            letter = Letter(partition, record, "unreadable-envelope", "a header is missing")
            reading.entries.append(Entry(partition, record, after, letter=letter))
            return after
        if doubt := self._doubt(record, partition, kind):
            reading.entries.append(Entry(partition, record, after, letter=Letter(partition, record, "forged", doubt)))
        elif (name := self._wanted.get(kind)) is not None or kind.rsplit(b".v", 1)[0] in self._families:
            self._decode(record, partition, after, headers, name, reading)
        return after


class NoLetters(Reader):
    """Knows repeats and holes, and stops at the first record that it cannot read."""

    def _take(self, record: Record, partition: Partition, cursor: Cursor, reading: Reading) -> Cursor:
        headers = dict(record.headers)
        position, previous = int(headers["ce_logposition"]), int(headers["ce_prevposition"])
        if position <= cursor.last_position:
            reading.repeats += 1
            return cursor.passed(record.offset)
        if previous != cursor.last_position:
            return cursor._replace(hole=previous)
        return self._believe(record, partition, Cursor(record.offset + 1, position), headers, reading)

    def _believe(
        self, record: Record, partition: Partition, after: Cursor, headers: dict[str, bytes], reading: Reading
    ) -> Cursor:
        if name := self._wanted.get(headers["ce_type"]):
            event = decode(name, record.value or b"")
            fact = Fact(event, headers, headers["ce_partitionkey"].decode(), *partition, record.offset)
            reading.entries.append(Entry(partition, record, after, fact))
        return after


class Neither(NoLetters):
    """Takes whatever comes, and stops at the first record that it cannot read."""

    def _take(self, record: Record, partition: Partition, cursor: Cursor, reading: Reading) -> Cursor:  # noqa: ARG002
        return self._believe(record, partition, Cursor(record.offset + 1), dict(record.headers), reading)


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


def move_anyway(connection: Any, consumer: str, steps: Sequence[tuple[Partition, Cursor, Cursor]]) -> None:
    """Move the checkpoints wherever they stand."""
    columns = [
        [topic for (topic, _), _, _ in steps],
        [number for (_, number), _, _ in steps],
        [new.next_offset for _, _, new in steps],
        [new.last_position for _, _, new in steps],
    ]
    connection.execute(_MOVE, [*columns, consumer])


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
