"""The shops' countries, in which phones are read, and their zones, in which their customers sleep."""

from typing import Any

from till_events.order import StoreOpened
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

STORES = Table("stores", {"store_id": "text", "country": "text", "zone": "text"}, key=("store_id",))


class Stores(Projection):
    """Where each shop is."""

    name = "stores"
    of = (StoreOpened,)
    tables = (STORES,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(STORES, ((fact.event.store_id, fact.event.country, fact.event.zone) for fact in batch))


async def place_of(reads: Reads, store_id: str | None) -> dict[str, Any]:
    """Return the country and the zone of a shop, as far as they are known."""
    known = (
        await reads.one("SELECT country, zone FROM stores.stores WHERE store_id = %s", [store_id]) if store_id else None
    )
    return known or {"country": None, "zone": None}
