"""A service's log: gapless, in order, its streams without a missing or double event."""

from typing import Any

import psycopg

_SHAPE = "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM log"
_HEAD = "SELECT position FROM log_head"
_STREAM = """
SELECT stream, count(*), max(sequence) FROM log GROUP BY stream
HAVING count(*) <> max(sequence) OR min(sequence) <> 1 LIMIT 1
"""
_BACKWARDS = """
SELECT position FROM (SELECT position, recorded_at, lag(recorded_at) OVER (ORDER BY position) AS earlier FROM log) AS steps
WHERE recorded_at < earlier LIMIT 1
"""


def check_log(dsn: str) -> tuple[int, str | None]:
    """Return the number of events and the first thing that is wrong, if anything is."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        count, first, last = _one(connection, _SHAPE)
        (head,) = _one(connection, _HEAD)
        if (first, last) != (1, count) or head != count:
            return count, f"{count} events at positions {first} to {last}, head at {head}: there is a gap"
        broken = connection.execute(_STREAM).fetchone()
        if broken:
            return count, f"stream {broken[0]} has {broken[1]} events but ends at {broken[2]}"
        backwards = connection.execute(_BACKWARDS).fetchone()
        if backwards:
            return count, f"position {backwards[0]} was recorded before the one in front of it"
    return count, None


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    return connection.execute(query.encode()).fetchone()
