"""The chain's stores and products as reports name and group them."""

from typing import ClassVar

from till_events.order import ProductChanged, ProductListed, StoreOpened
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Table

STORES = Table(
    "stores",
    {"store_id": "text", "name": "text", "zone": "text", "currency": "text", "country": "text"},
    key=("store_id",),
)
PRODUCTS = Table(
    "products",
    {
        "product_id": "text",
        "name": "text",
        "department": "text",
        "category": "text",
        "product_type": "text",
        "brand": "text",
        "manufacturer": "text",
    },
    key=("product_id",),
)


class Catalogue(Projection):
    """Stores and products, as last described."""

    name: ClassVar[str] = "catalogue"
    of: ClassVar = (StoreOpened, ProductListed, ProductChanged)
    tables: ClassVar = (STORES, PRODUCTS)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(STORES, (_store(fact.event) for fact in batch.of(StoreOpened)))
        products = (fact.event for fact in batch if isinstance(fact.event, ProductListed | ProductChanged))
        db.upsert(PRODUCTS, (_product(event) for event in products))


def _store(event: StoreOpened) -> tuple[str | None, ...]:
    return (event.store_id, event.name, event.zone, event.currency, event.country)


def _product(event: ProductListed | ProductChanged) -> tuple[str | None, ...]:
    return (
        event.product_id,
        event.name,
        event.department,
        event.category,
        event.product_type,
        event.brand,
        event.manufacturer,
    )
