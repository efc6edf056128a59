"""Aggregates from their streams: what was recorded, folded, begun at a snapshot where there is one that can be relied on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import Connection

from till_events.codec import decode
from till_platform.domain import Aggregate, RecordedEvent
from till_platform.eventstore import snapshots
from till_platform.pipelining import in_pipeline

FEW, ROWS_AT_ONCE = 64, 1_000
LAST = 2**31 - 1
WHOLE = """
SELECT wanted.stream, event.sequence, event.type, event.data, event.key
FROM unnest(%s::text[]) AS wanted (stream) LEFT JOIN snapshot USING (stream) LEFT JOIN LATERAL (
    SELECT sequence, type, data, key FROM log WHERE log.stream = wanted.stream AND snapshot.version IS NULL ORDER BY sequence OFFSET 0
) AS event ON true
WHERE event.sequence IS NOT NULL OR snapshot.version IS NOT NULL
ORDER BY wanted.stream, event.sequence
"""
"""The events of streams that have no snapshot; one row without an event for each that has one. OFFSET keeps PostgreSQL from one join of
all streams, for which it would read the whole of a log that has no statistics yet."""
_NEWER = """
SELECT log.stream, log.sequence, log.type, log.data, log.key
FROM unnest(%s::text[], %s::int[]) AS known (stream, version)
JOIN log ON log.stream = known.stream AND log.sequence BETWEEN known.version + 1 AND %s
ORDER BY log.stream, log.sequence
"""
_UPTO = "SELECT stream, sequence, type, data, key FROM log WHERE stream = %s AND sequence BETWEEN %s AND %s ORDER BY sequence"


def read_streams(connection: Connection[Any], wanted: Mapping[str, type[Aggregate]]) -> dict[str, Aggregate]:
    """Fold many streams; a stream without events gives an empty aggregate. Nearly all are short: one query answers for them."""
    found, long = folded(wanted, _rows(connection, WHOLE, [list(wanted)], of=len(wanted)))
    _remember(connection, [aggregate for aggregate in found.values() if aggregate.version >= snapshots.EVERY])
    if long:
        remembered = snapshots.read_snapshots(connection, long)
        begun = {stream: remembered.get(stream, found[stream]) for stream in long}
        bring_up_to_date(connection, begun)
        found |= begun
    return found


def folded(wanted: Mapping[str, type[Aggregate]], rows: Iterable[Any]) -> tuple[dict[str, Aggregate], list[str]]:
    """Return the aggregates that the rows of `WHOLE` make up, and the streams that are to be begun at a snapshot instead."""
    found = {stream: cls(stream) for stream, cls in wanted.items()}
    return found, _follow(found, rows)


def read_stream_at(connection: Connection[Any], cls: type[Aggregate], stream: str, version: int) -> Aggregate:
    """Fold a stream up to its `version`-th event. No snapshot is asked for where none can be of use."""
    found = cls(stream)
    if version > snapshots.EVERY:
        found = snapshots.read_snapshots(connection, [stream], upto=version).get(stream, found)
    _follow({stream: found}, connection.execute(_UPTO, [stream, found.version + 1, version], binary=True))
    return found


def bring_up_to_date(connection: Connection[Any], aggregates: Mapping[str, Aggregate]) -> None:
    """Fold into aggregates, by stream, what was recorded since, in one query. Those that took long are remembered for the next time."""
    before = {stream: aggregate.version for stream, aggregate in aggregates.items()}
    known = [list(before), list(before.values()), LAST]
    _follow(aggregates, _rows(connection, _NEWER, known, of=len(before)))
    long = [found for stream, found in aggregates.items() if found.version - before[stream] >= snapshots.EVERY]
    _remember(connection, long)


def _rows(connection: Connection[Any], query: str, parameters: Sequence[Any], *, of: int) -> Iterable[Any]:
    """Return the rows of so many streams.

    Those of many come a few at a time: a worker that has just started has years of a thousand customers to read for its first batch.
    Planned anew each time, since a plan that was made for an empty log would read the whole of a full one.
    """
    if of <= FEW or in_pipeline(connection):
        return connection.execute(query, parameters, prepare=False, binary=True)
    return connection.cursor().stream(query, parameters, size=ROWS_AT_ONCE)


def _follow(aggregates: Mapping[str, Aggregate], rows: Iterable[Any]) -> list[str]:
    """Fold rows into their aggregates; return the streams of rows without an event."""
    without: list[str] = []
    for stream, sequence, kind, data, key in rows:
        if sequence is None:
            without.append(stream)
        else:
            aggregates[stream].follow(RecordedEvent(stream, sequence, decode(kind, data), key))
    return without


def _remember(connection: Connection[Any], aggregates: Sequence[Aggregate]) -> None:
    if aggregates:
        snapshots.write_snapshots(connection, aggregates)
