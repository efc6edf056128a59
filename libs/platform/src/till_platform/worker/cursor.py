"""How far a consumer has come in a partition."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import Connection

Partition = tuple[str, int]
"""A topic and the number of one of its partitions."""


class Cursor(NamedTuple):
    """The next offset needed, and the log position of the last event taken: whatever comes at or below it is a repeat.

    `hole` is the position that the first record out of place says it follows. Until one comes that follows ours, nothing is taken and the
    offset stays: whoever begins again from here finds the same hole.
    """

    next_offset: int = 0
    last_position: int = 0
    hole: int | None = None


class Fenced(Exception):
    """Another consumer has moved these partitions on: they are not ours any more, and what we made of them must not be written."""


_CLAIM = """
INSERT INTO checkpoint (consumer, topic, partition, next_offset, last_position)
SELECT %s, topic, partition, 0, 0 FROM unnest(%s::text[], %s::int[]) AS mine (topic, partition)
ON CONFLICT DO NOTHING
"""
_READ = "SELECT topic, partition, next_offset, last_position FROM checkpoint WHERE consumer = %s"
_ADVANCE = """
WITH step AS (
    SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
        AS step (topic, partition, expected, next_offset, last_position)
), mine AS (
    SELECT checkpoint.topic, checkpoint.partition FROM checkpoint JOIN step USING (topic, partition)
    WHERE checkpoint.consumer = %s AND checkpoint.next_offset = step.expected
    ORDER BY checkpoint.topic, checkpoint.partition FOR UPDATE OF checkpoint
)
UPDATE checkpoint SET next_offset = step.next_offset, last_position = step.last_position
FROM step JOIN mine USING (topic, partition)
WHERE checkpoint.consumer = %s AND checkpoint.topic = step.topic AND checkpoint.partition = step.partition
    AND checkpoint.next_offset = step.expected
RETURNING 1
"""


def read_cursors(
    connection: Connection[Any], consumer: str, partitions: Iterable[Partition]
) -> dict[Partition, Cursor]:
    """Return where the consumer stands in each partition; a partition never read before is entered at its beginning."""
    wanted = sorted(partitions)
    with connection.transaction():
        connection.execute(_CLAIM, [consumer, [topic for topic, _ in wanted], [number for _, number in wanted]])
        found = {(topic, number): Cursor(*place) for topic, number, *place in connection.execute(_READ, [consumer])}
    return {partition: found[partition] for partition in wanted}


def advance(
    connection: Connection[Any], consumer: str, steps: Sequence[tuple[Partition, Cursor, Cursor]]
) -> Callable[[], None]:
    """Move each partition from one cursor to another, if it still stands where we think it does.

    Return what raises `Fenced` if one does not: to be called before the transaction ends, when more may be on its way already. Rows are
    locked in the order of topic and partition, so that two consumers can wait for each other but never in a circle.
    """
    if not steps:
        return lambda: None
    ordered = sorted(steps, key=lambda step: step[0])
    columns = [
        [topic for (topic, _), _, _ in ordered],
        [number for (_, number), _, _ in ordered],
        [old.next_offset for _, old, _ in ordered],
        [new.next_offset for _, _, new in ordered],
        [new.last_position for _, _, new in ordered],
    ]
    moved = connection.execute(_ADVANCE, [*columns, consumer, consumer])

    def must_have_moved() -> None:
        others = len(ordered) - len(moved.fetchall())
        if others:
            raise Fenced(f"{others} of {len(ordered)} partitions were moved on by another consumer")

    return must_have_moved
