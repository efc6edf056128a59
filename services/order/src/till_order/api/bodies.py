"""The parts that requests about receipts and orders have in common."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from till_events.ids import ProductId
from till_events.order import Delivery, Discount, Line, Tender
from till_order.domain.lines import LARGEST_AMOUNT, LONGEST_ID, MOST_DISCOUNTS, MOST_LINES, MOST_TENDERS
from till_order.domain.payment import Payment

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=PRINTABLE)]
ShortText = Annotated[str, Field(max_length=200, pattern=PRINTABLE)]
Amount = Annotated[
    int, Field(strict=True, ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, description="Minor units, e.g. cents")
]
Due = Annotated[int, Field(strict=True, ge=0, le=LARGEST_AMOUNT, description="Minor units, e.g. cents, not below zero")]
Quantity = Annotated[Decimal, Field(ge=0, le=10**12, max_digits=18, decimal_places=6)]


def _in_our_time(moment: datetime) -> datetime:
    if not 1990 <= moment.year < 2200:
        raise ValueError("is not a time of our days")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
"""A time with its offset, kept in UTC."""


class Body(BaseModel):
    """What a request holds, and nothing besides."""

    model_config = ConfigDict(extra="forbid")


class DiscountBody(Body):
    kind: Id
    amount_minor: Amount
    promotion_id: Id | None = None

    def discount(self) -> Discount:
        return Discount(kind=self.kind, amount_minor=self.amount_minor, promotion_id=self.promotion_id)


class LineBody(Body):
    """A product and what is paid for it, net of `discounts`. `unit` is a UN/ECE Recommendation 20 code."""

    line_id: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
    product_id: Id
    quantity: Quantity
    paid_minor: Amount
    unit: Id = "C62"
    discounts: Annotated[list[DiscountBody], Field(max_length=MOST_DISCOUNTS)] = []

    def line(self) -> Line:
        return Line(
            line_id=self.line_id,
            product_id=ProductId(self.product_id),
            quantity=self.quantity,
            paid_minor=self.paid_minor,
            unit=self.unit,
            discounts=tuple(discount.discount() for discount in self.discounts),
        )


Lines = Annotated[list[LineBody], Field(min_length=1, max_length=MOST_LINES)]


class TenderBody(Body):
    """A means of payment and how much by it."""

    method: Id
    amount_minor: Amount

    def tender(self) -> Tender:
        return Tender(self.method, self.amount_minor)


Tenders = Annotated[list[TenderBody], Field(max_length=MOST_TENDERS)]


class PaymentBody(Body):
    """Money, under the id the payment system gave it."""

    payment_id: Id
    method: Id
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=LARGEST_AMOUNT)]

    def payment(self) -> Payment:
        return Payment(payment_id=self.payment_id, method=self.method, amount_minor=self.amount_minor)


class RefundBody(Body):
    """Money that goes back, under an id of the caller's."""

    refund_id: Id
    method: Id
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=LARGEST_AMOUNT)]

    def payment(self) -> Payment:
        return Payment(payment_id=self.refund_id, method=self.method, amount_minor=self.amount_minor)


class DeliveryBody(Body):
    """How and when the goods reach the customer."""

    method: Id
    address: Annotated[str, Field(max_length=500)] | None = None
    promised_from: Moment | None = None
    promised_to: Moment | None = None
    cost_minor: Due = 0

    def delivery(self) -> Delivery:
        return Delivery(**self.model_dump())
