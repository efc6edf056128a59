"""The public log of a service in its order, for readers that do not come by Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from till_events.structured import to_line
from till_events.topics import source_of
from till_platform.relay.rows import COLUMNS, envelope_of

WINDOW = 2_000
"""So many positions are looked through at once: a reader of a rare type must not make one query read the whole log."""

_ROWS = f"""
SELECT {COLUMNS} FROM log WHERE position > %(after)s AND position <= %(until)s AND public
    AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s::text[]))
ORDER BY position LIMIT %(most)s
"""
_HEAD = "SELECT position FROM log_head"


@dataclass(frozen=True, slots=True)
class Published:
    """One event as whoever reads it gets it: a CloudEvent in structured mode, one line of JSON."""

    position: int
    id: str
    type: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some events, the position up to which nothing else is to be read, and whether that is the end of the log."""

    events: Sequence[Published]
    until: int
    at_end: bool


def read_stretch(
    connection: Connection[Any], service: str, after: int, *, types: Sequence[str] | None = None, most: int = 500
) -> Stretch:
    """Return what follows position `after`: public events of these types, or of all."""
    row = connection.execute(_HEAD).fetchone()
    head = int(row[0]) if row else 0
    until = min(after + WINDOW, head)
    wanted = {"after": after, "until": until, "types": list(types) if types else None, "most": most}
    rows = connection.execute(_ROWS, wanted, binary=True).fetchall()
    if len(rows) == most:
        until = rows[-1][0]
    source = source_of(service)
    events = [Published(row[0], row[3], row[4], to_line(envelope_of(row, source), row[6])) for row in rows]
    return Stretch(events, max(until, after), at_end=until >= head)


def end_of(connection: Connection[Any]) -> int:
    """Return the position of the last event."""
    row = connection.execute(_HEAD).fetchone()
    return int(row[0]) if row else 0
