"""What the chain sells, to look through."""

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from till_events.order import ProductChanged, ProductListed
from till_order.projections.conditions import matching
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

PRODUCTS = Table(
    "products",
    {
        "product_id": "text NOT NULL",
        "name": "text NOT NULL",
        "department": "text",
        "category": "text",
        "product_type": "text",
        "brand": "text",
        "manufacturer": "text",
        "size": "text",
        "words": "text NOT NULL",
        "changed_at": "timestamptz NOT NULL",
    },
    key=("product_id",),
    indexes=("(department, category, product_id)",),
)


class ProductFilter(Struct, frozen=True, kw_only=True):
    """Which products to show. `words` are looked for in number, name, kind, brand and manufacturer, in any case."""

    department: str | None = None
    category: str | None = None
    words: str | None = None


class Products(Projection):
    """Every product as it is described now."""

    name = "products"
    of = (ProductListed, ProductChanged)
    tables = (PRODUCTS,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(PRODUCTS, (_row(fact.event) for fact in batch))


async def list_products(reads: Reads, wanted: ProductFilter, after: str, limit: int) -> list[dict[str, Any]]:
    """Return products by number."""
    conditions = matching(
        {
            "product_id > %(after)s": after,
            "department = %(department)s": wanted.department,
            "category = %(category)s": wanted.category,
            "words LIKE ALL (%(patterns)s)": wanted.words,
        }
    )
    patterns = [_containing(word) for word in (wanted.words or "").lower().split()]
    return await reads.all(
        f"SELECT * FROM products.products WHERE {conditions} ORDER BY product_id LIMIT %(limit)s",
        {**asdict(wanted), "after": after, "patterns": patterns, "limit": limit},
    )


def _row(event: ProductListed | ProductChanged) -> tuple[Any, ...]:
    told = (event.product_id, event.name, event.product_type, event.brand, event.manufacturer)
    return (
        event.product_id,
        event.name,
        event.department,
        event.category,
        event.product_type,
        event.brand,
        event.manufacturer,
        event.size,
        " ".join(text for text in told if text).lower(),
        event.occurred_at,
    )


def _containing(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
