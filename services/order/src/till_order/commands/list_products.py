"""Take over the products that head office sells, one or tens of thousands of them."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
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
    if product.pending:
        await log.save(product)
    return product


async def list_products(commands: Sequence[ListProduct], log: Log, now: datetime) -> list[Outcome]:
    """List many products in one go, each answered alone. Of several descriptions of one product the last one stands."""
    products = await log.load_many(Product, (command.product_id for command in commands))
    outcomes = [_describe(products[command.product_id], command, now) for command in commands]
    saved = await log.save_each(list(products.values()))
    overtaken = {
        identity for identity, refusal in zip(products, saved, strict=True) if isinstance(refusal, DomainError)
    }
    for place, command in enumerate(commands):
        if command.product_id in overtaken:  # somebody else described it in the meantime
            outcomes[place] = await log.retrying(partial(_list_again, command, log, now))
    return outcomes


async def _list_again(command: ListProduct, log: Log, now: datetime) -> Outcome:
    product = await log.find(Product, command.product_id)
    outcome = _describe(product, command, now)
    if product.pending:
        await log.save(product)
    return outcome


def _describe(product: Product, command: ListProduct, now: datetime) -> Outcome:
    known, before = product.exists, product.version
    product.describe(command.description(), now)
    if product.version == before:
        return "repeated"
    return "changed" if known else "listed"
