"""How a receipt is shown, with all that came back of it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from till_events.order import PurchaseReturned
from till_order.api.replies import LineReply, Reply, TenderReply
from till_order.domain.receipt import Receipt
from till_order.domain.slip import ReturnSlip


class RecordedReply(Reply):
    """The receipt's id for ever, and whether it was new or known already."""

    purchase_id: str
    status: Literal["recorded", "repeated"]

    @classmethod
    def of(cls, receipt: Receipt) -> "RecordedReply":
        return cls(purchase_id=receipt.identity, status="recorded" if receipt.pending else "repeated")


class ReturnedLineReply(Reply):
    line_id: int | None
    product_id: str
    quantity: Decimal
    unit: str
    refund_minor: int
    reason: str


class ReturnReply(Reply):
    """A return slip: what came back, and how the money went back."""

    return_id: str
    purchase_id: str | None
    store_id: str
    till_id: str
    return_number: str
    business_date: date
    occurred_at: datetime
    currency: str
    total_minor: int
    lines: list[ReturnedLineReply]
    refunds: list[TenderReply]
    channel: str
    customer_id: str | None
    order_id: str | None
    operator_id: str | None

    @classmethod
    def of(cls, returned: PurchaseReturned) -> "ReturnReply":
        return cls.model_validate(returned)

    @classmethod
    def of_slip(cls, slip: ReturnSlip) -> "ReturnReply":
        return cls.model_validate(slip.returned)


class ReturnableReply(Reply):
    """What can still come back of a line, and what is given for all of it."""

    line_id: int
    product_id: str
    quantity: Decimal
    unit: str
    refund_minor: int


class ReceiptCard(Reply):
    """A purchase as the till printed it, what came back of it, and what still can."""

    purchase_id: str
    version: int
    store_id: str
    till_id: str
    receipt_number: str
    business_date: date
    occurred_at: datetime
    currency: str
    total_minor: int
    lines: list[LineReply]
    tenders: list[TenderReply]
    channel: str
    customer_id: str | None
    card_number: str | None
    order_id: str | None
    operator_id: str | None
    offline: bool
    returned_minor: int
    returns: list[ReturnReply]
    returnable: list[ReturnableReply]

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptCard":
        purchase = receipt.purchase
        return cls(
            **{field: getattr(purchase, field) for field in purchase.__struct_fields__ if field not in _PARTS},
            lines=[LineReply.model_validate(line) for line in purchase.lines],
            tenders=[TenderReply.model_validate(tender) for tender in purchase.tenders],
            version=receipt.version,
            returned_minor=sum(returned.total_minor for returned in receipt.returns.values()),
            returns=[ReturnReply.of(returned) for returned in receipt.returns.values()],
            returnable=[ReturnableReply.model_validate(line) for line in receipt.returnable()],
        )


class ReceiptRow(Reply):
    """A receipt in a list. `returned_minor` is what was given back of it."""

    purchase_id: str
    store_id: str
    till_id: str
    receipt_number: str
    business_date: date
    occurred_at: datetime
    currency: str
    total_minor: int
    returned_minor: int
    line_count: int
    channel: str
    customer_id: str | None
    card_number: str | None
    order_id: str | None


class ReturnRow(Reply):
    """A return slip in a list; without a `purchase_id` there was no receipt."""

    return_id: str
    purchase_id: str | None
    store_id: str
    till_id: str
    return_number: str
    business_date: date
    occurred_at: datetime
    currency: str
    total_minor: int
    customer_id: str | None
    order_id: str | None


_PARTS = frozenset({"lines", "tenders"})
