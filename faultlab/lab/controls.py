"""Defences taken out of real processes: an instance is told to run this first, and production code is as it is everywhere else.

Each must break an invariant, or the lab could not see what the defence is there for.
"""

from collections.abc import Callable
from typing import Any

from till_platform.worker import cursor
from till_platform.worker.cursor import Cursor
from till_platform.worker.reading import Reader


def without_compare_and_set() -> None:
    """C2: the checkpoint moves wherever it stands, so that a zombie writes."""
    weakened = cursor._ADVANCE.replace(" AND checkpoint.next_offset = step.expected", "").replace(
        "AND checkpoint.next_offset = step.expected", ""
    )
    assert weakened.count("step.expected") == 0
    cursor._ADVANCE = weakened


def without_knowing_repeats() -> None:
    """C5: whatever comes is taken, and nothing is known by its place in the log."""
    real = Reader.read_on

    def read_on(self: Reader, partition: Any, records: Any, begin: Cursor, reading: Any) -> None:
        reading.before.setdefault(partition, begin)
        for record in records:
            at = reading.after.get(partition, begin)
            previous = dict(record.headers).get("ce_prevposition", b"0")
            reading.after[partition] = Cursor(at.next_offset, int(previous))
            real(self, partition, [record], begin, reading)
            after = reading.after[partition]
            reading.after[partition] = after._replace(last_position=max(after.last_position, at.last_position))

    Reader.read_on = read_on  # type: ignore[method-assign]


CONTROLS: dict[str, Callable[[], None]] = {"C2": without_compare_and_set, "C5": without_knowing_repeats}
