"""Events as they stand in the logs: one of them, a stream, or how many there are of each kind."""

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from till_platform.relay.rows import COLUMNS
from tillstream.attached import Attached
from tillstream.events.choice import Place
from tillstream.events.recorded import Recorded

_BY_ID = f"SELECT {COLUMNS} FROM log WHERE id = %s::uuid"
_BY_STREAM = f"""
SELECT {COLUMNS} FROM log WHERE stream = %(stream)s AND (%(version)s::int IS NULL OR sequence = %(version)s) ORDER BY sequence
"""
_COUNTS: dict[str, LiteralString] = {
    "type": "SELECT type, count(*) FROM log GROUP BY 1",
    "service": "SELECT NULL, count(*) FROM log",
    "day": "SELECT to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), count(*) FROM log GROUP BY 1",
    "store": "SELECT store_id, count(*) FROM log GROUP BY 1",
}


def find(attached: Attached, services: Sequence[str], place: Place) -> list[Recorded]:
    """Return the event, or the events of the stream in their order; none where nobody recorded such a thing."""
    found: list[Recorded] = []
    for service in services:
        with psycopg.connect(attached.database(service), autocommit=True) as connection:
            if place.event_id:
                rows: Any = connection.execute(_BY_ID, [place.event_id])
            else:
                rows = connection.execute(_BY_STREAM, {"stream": place.stream, "version": place.version})
            found += [Recorded.of_row(row, service) for row in rows]
    return found


def count(attached: Attached, services: Sequence[str], by: str) -> list[tuple[str | None, str | None, int]]:
    """Count events by `type`, `service`, `day` or `store`: return service, group and number; no service where a group spans services.

    A day is the UTC day on which they happened. What happens in no shop has no store.
    """
    spans = by in {"day", "store"}
    counts: dict[tuple[str | None, str | None], int] = {}
    for service in services:
        with psycopg.connect(attached.database(service), autocommit=True) as connection:
            rows = connection.execute(_COUNTS[by]).fetchall()
        for group, number in rows:
            place = (None if spans else service, group)
            counts[place] = counts.get(place, 0) + number
    ordered = sorted(counts.items(), key=lambda entry: (entry[0][0] or "", entry[0][1] or ""))
    return [(service, group, number) for (service, group), number in ordered]
