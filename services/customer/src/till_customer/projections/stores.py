"""The shops' countries, in which phones are read, and their zones, in which their customers sleep."""

from till_customer.domain.places import Place
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


async def places_of_all(reads: Reads) -> dict[str, Place]:
    """Return where each shop is."""
    rows = await reads.all("SELECT store_id, country, zone FROM stores.stores")
    return {row["store_id"]: Place(row["country"], row["zone"]) for row in rows}


async def place_of(reads: Reads, store_id: str) -> Place | None:
    """Return where a shop is, if it is known."""
    row = await reads.one("SELECT country, zone FROM stores.stores WHERE store_id = %s", [store_id])
    return Place(row["country"], row["zone"]) if row else None
