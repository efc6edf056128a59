"""What the chain sells."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from till_order.api.access import Buyer, Reader
from till_order.api.answers import Answer, ndjson_of, rejected
from till_order.api.bodies import Body, Id, ShortText
from till_order.api.replies import Reply
from till_order.commands.list_products import ListProduct, list_product, list_products
from till_order.domain.product import Product
from till_order.projections import products
from till_order.projections.products import ProductFilter
from till_platform.domain import DomainError, NotFound
from till_platform.http import (
    ClockDep,
    CursorDep,
    LogDep,
    Once,
    Page,
    ReadsDep,
    ndjson_in,
    ndjson_out,
    problems,
    streamed,
    tag,
)

router = APIRouter(prefix="/v1/products", tags=["products"])
_decode = msgspec.json.Decoder(ListProduct).decode


class ProductBody(Body):
    """A product with its whole description: what is not said is not known."""

    product_id: Id
    name: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
    department: ShortText | None = None
    category: ShortText | None = None
    product_type: ShortText | None = None
    brand: ShortText | None = None
    manufacturer: ShortText | None = None
    size: ShortText | None = None


class ProductReply(Reply):
    product_id: str
    name: str
    department: str | None
    category: str | None
    product_type: str | None
    brand: str | None
    manufacturer: str | None
    size: str | None

    @classmethod
    def of(cls, product: Product) -> "ProductReply":
        return cls(product_id=product.identity, **msgspec.structs.asdict(product.description))


class ProductAnswer(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one line of a list of products."""

    product_id: str | None = None


@router.post("", status_code=201)
async def describe_product(body: ProductBody, _: Buyer, log: LogDep, clock: ClockDep, once: Once) -> ProductReply:
    """List a product, or describe it anew. The same description again changes nothing."""
    command = ListProduct(**body.model_dump())
    return await once(lambda: log.retrying(lambda: list_product(command, log, clock.now())), ProductReply.of)


@router.post(":batch", **ndjson_of(ProductBody, ProductAnswer))
@streamed
async def describe_products(request: Request, _: Buyer, log: LogDep, clock: ClockDep) -> Response:
    """List any number of products, one JSON document a line, and answer each: `listed`, `changed`, `repeated` or `rejected`.

    Needs no Idempotency-Key: a list sent again is answered with `repeated`.
    """

    async def answers() -> AsyncIterator[list[ProductAnswer]]:
        async for chunk in ndjson_in(request, _decode, chunk=1_000):
            told = [(line, item) for line, item in chunk if not isinstance(item, DomainError)]
            outcomes = await list_products([item for _, item in told], log, clock.now())
            answered = [
                ProductAnswer(line=line, product_id=item.product_id, status=outcome)
                for (line, item), outcome in zip(told, outcomes, strict=True)
            ]
            answered += [
                ProductAnswer(line=line, **rejected(item)) for line, item in chunk if isinstance(item, DomainError)
            ]
            yield sorted(answered, key=lambda answer: answer.line)

    return ndjson_out(answers())


@router.get("")
async def find_products(
    _: Reader,
    reads: ReadsDep,
    cursor: CursorDep,
    department: Annotated[str | None, Query(max_length=200)] = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Words in number, name, kind, brand, manufacturer")
    ] = None,
) -> Page[ProductReply]:
    """Look through the products, by number."""
    wanted = ProductFilter(department=department, category=category, words=q)
    (after,) = cursor.after or ("",)
    rows = await products.list_products(reads, wanted, str(after), cursor.fetch)
    return cursor.page(rows, key=lambda row: (row["product_id"],), item=lambda row: ProductReply(**row))


@router.get("/{product_id}", responses=problems(NotFound))
async def show_product(
    product_id: Annotated[str, Path(max_length=64)], _: Reader, log: LogDep, response: Response
) -> ProductReply:
    """Show a product."""
    product = await log.load(Product, product_id)
    tag(response, product.version)
    return ProductReply.of(product)
