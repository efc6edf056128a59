"""What the chain sells."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from till_events.ids import ProductId
from till_events.order import ProductChanged, ProductListed
from till_platform.domain import Aggregate


class Description(Struct, frozen=True, kw_only=True):
    """How head office describes a product."""

    name: str
    department: str | None = None
    category: str | None = None
    product_type: str | None = None
    brand: str | None = None
    manufacturer: str | None = None
    size: str | None = None


class Product(Aggregate):
    """One product of the chain, under the number head office gave it."""

    kind = "product"
    description: Description

    def describe(self, description: Description, now: datetime) -> None:
        """List the product, or describe it anew. The same description again changes nothing."""
        if self.exists and description == self.description:
            return
        event = ProductChanged if self.exists else ProductListed
        self.record(event(product_id=ProductId(self.identity), occurred_at=now, **asdict(description)))

    def apply(self, event: object) -> None:
        if isinstance(event, ProductListed | ProductChanged):
            self.description = Description(
                name=event.name,
                department=event.department,
                category=event.category,
                product_type=event.product_type,
                brand=event.brand,
                manufacturer=event.manufacturer,
                size=event.size,
            )
