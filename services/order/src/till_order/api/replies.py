"""The parts that replies about receipts and orders have in common."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict


class Reply(BaseModel):
    """What is answered. Read models and events know more than is shown: the rest is left out."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


class DiscountReply(Reply):
    kind: str
    amount_minor: int
    promotion_id: str | None


class LineReply(Reply):
    line_id: int
    product_id: str
    quantity: Decimal
    unit: str
    paid_minor: int
    discounts: list[DiscountReply]


class TenderReply(Reply):
    method: str
    amount_minor: int
