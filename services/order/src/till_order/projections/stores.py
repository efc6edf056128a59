"""The chain's stores, by name."""

from typing import Any

from till_events.order import StoreOpened
from till_order.projections.conditions import matching
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

STORES = Table(
    "stores",
    {
        "store_id": "text NOT NULL",
        "name": "text NOT NULL",
        "zone": "text NOT NULL",
        "currency": "text NOT NULL",
        "country": "text",
        "opened_at": "timestamptz NOT NULL",
    },
    key=("store_id",),
)


class Stores(Projection):
    """Which stores there are."""

    name = "stores"
    of = (StoreOpened,)
    tables = (STORES,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(
            STORES,
            (
                (opened.store_id, opened.name, opened.zone, opened.currency, opened.country, opened.occurred_at)
                for opened in (fact.event for fact in batch.of(StoreOpened))
            ),
        )


async def list_stores(reads: Reads, only: list[str] | None, after: str, limit: int) -> list[dict[str, Any]]:
    """Return stores by id, those of `only` if it names any."""
    conditions = matching({"store_id > %(after)s": after, "store_id = ANY(%(only)s)": only})
    return await reads.all(
        f"SELECT * FROM stores.stores WHERE {conditions} ORDER BY store_id LIMIT %(limit)s",
        {"after": after, "only": only, "limit": limit},
    )
