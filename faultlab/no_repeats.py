"""Control C5, in the simulator and in the lab: a reader without the defence that what was taken is never taken twice."""

from collections.abc import Sequence

from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.reading import Reader, Reading, Record


class NoRepeats(Reader):
    """Takes whatever comes: it neither knows a repeat by its position nor a hole."""

    def read_on(self, partition: Partition, records: Sequence[Record], begin: Cursor, reading: Reading) -> None:
        reading.before.setdefault(partition, begin)
        for record in records:
            cursor = reading.after.get(partition, begin)
            previous = dict(record.headers).get("ce_prevposition", b"0")
            reading.after[partition] = Cursor(cursor.next_offset, int(previous))
            super().read_on(partition, [record], begin, reading)
            after = reading.after[partition]
            reading.after[partition] = after._replace(last_position=max(after.last_position, cursor.last_position))
