"""Projections on a real database without Kafka: the rows that some batches of events lead to."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from psycopg import Connection

from till_events.base import Event
from till_events.codec import type_of
from till_events.envelope import format_time
from till_events.ids import new_id
from till_platform.batch import Batch, Fact
from till_platform.projections import tables
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Row

_offsets = count()


def fact(event: Event, *, stream: str = "stream-1", key: str | None = None, event_id: str | None = None) -> Fact[Any]:
    """Return the event as if it had been read from its topic."""
    place = next(_offsets)
    headers = {
        "ce_id": (event_id or new_id()).encode(),
        "ce_type": type_of(event).encode(),
        "ce_subject": stream.encode(),
        "ce_sequence": b"1",
        "ce_logposition": b"%d" % (place + 1),
        "ce_recordedat": format_time(datetime.now(UTC)),
        "ce_correlationid": b"test",
    }
    owner = type_of(event).split(".")[1]
    return Fact(event, headers, key or getattr(event, "customer_id", None) or stream, f"till.{owner}", 0, place)


def rows_after(
    connection: Connection[Any], projection: Projection, batches: Iterable[Sequence[Fact[Any]]]
) -> dict[str, list[Row]]:
    """Fold batches into empty tables of the projection and return all rows by table, in the order of their keys."""
    tables.drop(connection, projection.name)
    tables.create(connection, projection, projection.name)
    for facts in batches:
        with connection.transaction(), tables.inside(connection, projection.name):
            projection.fold(Batch(facts).only(projection.of), Db(connection))
    found = {}
    for table in projection.tables:
        query = f"SELECT * FROM {projection.name}.{table.name} ORDER BY {', '.join(table.key)}"
        found[table.name] = connection.execute(query.encode()).fetchall()
    return found
