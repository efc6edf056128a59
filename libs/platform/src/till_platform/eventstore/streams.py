"""Aggregates from their streams: what was recorded, folded, begun at a snapshot where there is one that can be relied on."""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection

from till_events.codec import decode
from till_platform.domain import Aggregate, RecordedEvent
from till_platform.eventstore import snapshots

ROWS_AT_ONCE = 1_000
LAST = 2**31 - 1
_NEWER = """
SELECT log.stream, log.sequence, log.type, log.data, log.key
FROM unnest(%s::text[], %s::int[]) AS known (stream, version)
JOIN log ON log.stream = known.stream AND log.sequence BETWEEN known.version + 1 AND %s
ORDER BY log.stream, log.sequence
"""


def read_streams(connection: Connection[Any], wanted: Mapping[str, type[Aggregate]]) -> dict[str, Aggregate]:
    """Fold many streams; a stream without events gives an empty aggregate."""
    remembered = snapshots.read_snapshots(connection, wanted)
    found = {stream: remembered.get(stream) or cls(stream) for stream, cls in wanted.items()}
    bring_up_to_date(connection, found)
    return found


def read_stream_at(connection: Connection[Any], cls: type[Aggregate], stream: str, version: int) -> Aggregate:
    """Fold a stream up to its `version`-th event. No snapshot is asked for where none can be of use."""
    found = cls(stream)
    if version > snapshots.EVERY:
        found = snapshots.read_snapshots(connection, [stream], upto=version).get(stream, found)
    _follow(connection, {stream: found}, version)
    return found


def bring_up_to_date(connection: Connection[Any], aggregates: Mapping[str, Aggregate]) -> None:
    """Fold into aggregates, by stream, what was recorded since, in one query. Those that took long are remembered for the next time."""
    before = {stream: aggregate.version for stream, aggregate in aggregates.items()}
    _follow(connection, aggregates, LAST)
    long = [found for stream, found in aggregates.items() if found.version - before[stream] >= snapshots.EVERY]
    snapshots.write_snapshots(connection, long)


def _follow(connection: Connection[Any], aggregates: Mapping[str, Aggregate], upto: int) -> None:
    """Rows come a few at a time: a worker that has just started has years of a thousand customers to read for its first batch."""
    versions = [aggregate.version for aggregate in aggregates.values()]
    rows = connection.cursor().stream(_NEWER, [list(aggregates), versions, upto], size=ROWS_AT_ONCE)
    for stream, sequence, kind, data, key in rows:
        aggregates[stream].follow(RecordedEvent(stream, sequence, decode(kind, data), key))
