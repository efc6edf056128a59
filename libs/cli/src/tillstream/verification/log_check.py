"""A service's log: gapless, in order, its streams without a missing or double event, and no private fact that cannot be read."""

from typing import Any

import psycopg

from till_events import catalogue
from till_events.codec import UnknownMajor, UnknownType, UnreadableEvent, decode

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
_PRIVATE = "SELECT position, type, data FROM log WHERE NOT public ORDER BY position"


def check_log(connection: psycopg.Connection[Any]) -> tuple[int, str | None]:
    """Return the number of events and the first thing that is wrong, if anything is."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # it may grow meanwhile
        count, first, last = connection.execute(_SHAPE).fetchone() or (0, 1, 0)
        (head,) = connection.execute(_HEAD).fetchone() or (None,)
        if (first, last) != (1, count) or head != count:
            return count, f"{count} events at positions {first} to {last}, head at {head}: there is a gap"
        if broken := connection.execute(_STREAM).fetchone():
            return count, f"stream {broken[0]} has {broken[1]} events but ends at {broken[2]}"
        if backwards := connection.execute(_BACKWARDS).fetchone():
            return count, f"position {backwards[0]} was recorded before the one in front of it"
        return count, _unreadable(connection)


def _unreadable(connection: psycopg.Connection[Any]) -> str | None:
    """Public events are compared with their topic. Private ones have no second copy, but must at least be what their type says."""
    assert catalogue  # importing it declares every event
    for position, kind, data in connection.execute(_PRIVATE, binary=True):
        try:
            decode(kind, data)
        except (UnknownMajor, UnknownType, UnreadableEvent) as error:
            return f"position {position} cannot be read: {type(error).__name__}"
    return None
