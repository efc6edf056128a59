"""When and where customers became known to the chain."""

from typing import ClassVar

from till_events.customer import CustomerRegistered
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
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
