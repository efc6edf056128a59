"""When and where customers became known to the chain."""

from typing import Any, ClassVar, Literal, LiteralString

from till_analytics.domain.period import Period
from till_analytics.projections.scope import IN_STORES, Scope, days_between
from till_events.customer import CustomerRegistered
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

SIGNUPS = Table(
    "signups",
    {"customer_id": "text", "registered_at": "timestamptz", "store_id": "text", "source": "text"},
    key=("customer_id",),
    indexes=("(registered_at)",),
)


class Signups(Projection):
    """One row per registered customer, without anything that tells who they are; the store's zone makes the moment a day on reading."""

    name: ClassVar[str] = "signups"
    of: ClassVar = (CustomerRegistered,)
    tables: ClassVar = (SIGNUPS,)

    def fold(self, batch: Batch, db: Db) -> None:
        events = (fact.event for fact in batch.of(CustomerRegistered))
        db.insert(
            SIGNUPS,
            (
                (
                    event.customer_id,
                    event.occurred_at,
                    event.store_id,
                    event.acquisition.source if event.acquisition else None,
                )
                for event in events
            ),
        )


# The day is one of the store's; a store or a zone that is not known (yet) leaves the day of UTC.
_PLACED: LiteralString = """
    SELECT signups.store_id, source, (registered_at AT TIME ZONE coalesce(known.name, 'UTC'))::date AS day
    FROM signups.signups LEFT JOIN catalogue.stores USING (store_id) LEFT JOIN pg_timezone_names AS known ON known.name = zone
"""


async def days_of_signups(reads: Reads) -> Period | None:
    """Return the first and the last day on which anybody registered."""
    return await days_between(reads, f"SELECT min(day), max(day) FROM ({_PLACED}) AS placed")


async def signups_by(reads: Reads, by: Literal["day", "store", "source"], scope: Scope) -> list[dict[str, Any]]:
    """Return how many customers registered in the period."""
    key = {"day": "to_char(day, 'YYYY-MM-DD')", "store": "store_id", "source": "source"}[by]
    return await reads.all(
        f"""
        SELECT {key} AS key, count(*) AS customers FROM ({_PLACED}) AS placed
        WHERE day BETWEEN %(first)s AND %(last)s AND {IN_STORES} GROUP BY 1 ORDER BY 1
        """,
        scope.parameters,
    )
