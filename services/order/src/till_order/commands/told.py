"""What another system tells us in long lists, checked while it is read: nothing misspelt is passed over."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from till_events.ids import ProductId
from till_events.order import Discount, Line, Tender
from till_order.domain.lines import LONGEST_ID

PRINTABLE = r"\A[^\x00-\x1f\x7f]*\Z"

Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID, pattern=PRINTABLE)]
"""An id of another system: any printable text up to 64 characters."""

Name = Annotated[str, Meta(min_length=1, max_length=500, pattern=PRINTABLE)]
ShortText = Annotated[str, Meta(max_length=200, pattern=PRINTABLE)]

Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its offset: without one nobody knows when it was."""


class DiscountTold(Struct, frozen=True, forbid_unknown_fields=True):
    kind: Id
    amount_minor: int
    promotion_id: Id | None = None


class LineTold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    line_id: int
    product_id: Id
    quantity: Decimal
    paid_minor: int
    unit: Id = "C62"
    discounts: tuple[DiscountTold, ...] = ()

    def line(self) -> Line:
        return Line(
            line_id=self.line_id,
            product_id=ProductId(self.product_id),
            quantity=self.quantity,
            paid_minor=self.paid_minor,
            unit=self.unit,
            discounts=tuple([Discount(told.kind, told.amount_minor, told.promotion_id) for told in self.discounts]),
        )


class TenderTold(Struct, frozen=True, forbid_unknown_fields=True):
    method: Id
    amount_minor: int

    def tender(self) -> Tender:
        return Tender(self.method, self.amount_minor)
