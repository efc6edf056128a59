"""Take over the products that head office sells, one or tens of thousands of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from till_order.commands.told import Id, Name, ShortText
from till_order.domain.product import Description, Product
from till_platform.domain import DomainError
from till_platform.eventstore.log import Log

Outcome = Literal["listed", "changed", "repeated"]


class ListProduct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product and its whole description."""

    product_id: Id
    name: Name
    department: ShortText | None = None
    category: ShortText | None = None
    product_type: ShortText | None = None
    brand: ShortText | None = None
    manufacturer: ShortText | None = None
    size: ShortText | None = None

    def description(self) -> Description:
        fields = asdict(self)
        del fields["product_id"]
        return Description(**fields)


async def list_product(command: ListProduct, log: Log, now: datetime) -> Product:
    """List a product or describe it anew; the same description again changes nothing."""
    product = await log.find(Product, command.product_id)
    product.describe(command.description(), now)
    await log.save(product)
    return product


async def list_products(commands: Sequence[ListProduct], log: Log, now: datetime) -> list[Outcome | DomainError]:
    """List many products in one go, each answered alone. Of several descriptions of one product the last one stands."""
    products = await log.load_many(Product, (command.product_id for command in commands))
    outcomes: list[Outcome | DomainError] = []
    for command in commands:
        product = products[command.product_id]
        known, before = product.exists, product.version
        product.describe(command.description(), now)
        outcomes.append("repeated" if product.version == before else "changed" if known else "listed")
    saved = dict(zip(products, await log.save_each(list(products.values())), strict=True))
    return [
        refusal if isinstance(refusal := saved[command.product_id], DomainError) else outcome
        for command, outcome in zip(commands, outcomes, strict=True)
    ]
