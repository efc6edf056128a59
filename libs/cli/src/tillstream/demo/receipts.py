"""The receipts of the data as JSON documents, as a till would tell them."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tillstream.demo.dataset import CURRENCY, DISCOUNTS, Dataset

TILL = "1"
_ROWS = 50_000
_encode = msgspec.json.Encoder().encode


class Discount(msgspec.Struct):
    """What of the price was not paid, in cents."""

    kind: str
    amount_minor: int


class Line(msgspec.Struct, omit_defaults=True):
    """A line of a receipt; fuel in gallons, everything else as it was counted."""

    line_id: int
    product_id: str
    quantity: str
    paid_minor: int
    unit: str = "C62"
    discounts: list[Discount] = []


class Tender(msgspec.Struct):
    """How a receipt was paid."""

    method: str
    amount_minor: int


class Receipt(msgspec.Struct):
    """A receipt; amounts are cents."""

    store_id: str
    till_id: str
    receipt_number: str
    occurred_at: str
    business_date: str
    currency: str
    total_minor: int
    customer_id: str
    lines: list[Line]
    tenders: list[Tender]


def documents(dataset: Dataset) -> Iterator[bytes]:
    """Yield the receipts in the order of their time."""
    fuel = dataset.fuel()
    told = dataset.told()
    basket: int | None = None
    head: tuple[str, str, str, str] = ("", "", "", "")
    lines: list[Line] = []
    for start in range(0, told.height, _ROWS):
        part = told.slice(start, _ROWS)
        columns = (part[name].to_list() for name in part.columns)
        for number, store, customer, moment, day, product, quantity, paid, *discounts in zip(*columns, strict=True):
            if number != basket:
                if basket is not None:
                    yield _document(basket, head, lines)
                basket, head, lines = number, (store, customer, moment, day), []
            line = Line(len(lines) + 1, str(product), str(quantity), paid)
            if any(discounts):
                line.discounts = [
                    Discount(kind, off) for kind, off in zip(DISCOUNTS.values(), discounts, strict=True) if off
                ]
            if product in fuel:
                line.quantity, line.unit = str(Decimal(quantity).scaleb(-3)), "GLL"
            lines.append(line)
    if basket is not None:
        yield _document(basket, head, lines)


def _document(basket: int, head: tuple[str, str, str, str], lines: list[Line]) -> bytes:
    store, customer, moment, day = head
    total = sum(line.paid_minor for line in lines)
    tenders = [Tender(_method(basket), total)]
    return _encode(Receipt(store, TILL, str(basket), moment, day, CURRENCY, total, customer, lines, tenders))


def _method(basket: int) -> str:
    """Return the means of payment, which the data does not tell: seven of ten baskets by card, the others in cash."""
    return "card" if basket % 10 < 7 else "cash"
