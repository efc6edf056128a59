"""Repeat sales."""

from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from till_analytics.api.access import Covered
from till_analytics.api.coverage import Coverage
from till_analytics.domain.period import share
from till_analytics.projections.repeat_sales import repeat_sales
from till_platform.http import ReadsDep

router = APIRouter(prefix="/v1", tags=["sales"])


class RepeatRow(BaseModel):
    """The period's customers and trade in one currency; money less refunds.

    New customers bought for the first time ever, repeat customers on a later day than their first; somebody can be both. Shares are
    parts of the known customers' figures, as decimal numbers in text.
    """

    currency: str
    customers: int
    new_customers: int
    repeat_customers: int
    repeat_customers_share: Decimal | None
    receipts: int
    repeat_receipts: int
    net_minor: int
    repeat_net_minor: int
    repeat_sales_share: Decimal | None
    anonymous_receipts: int
    anonymous_net_minor: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> "RepeatRow":
        return cls(
            **row,
            repeat_customers_share=share(row["repeat_customers"], row["customers"]),
            repeat_sales_share=share(row["repeat_net_minor"], row["net_minor"]),
        )


class RepeatReply(Coverage):
    """Repeat sales by currency."""

    rows: list[RepeatRow]


@router.get("/sales/repeat")
async def repeat(asked: Covered, reads: ReadsDep) -> RepeatReply:
    """Say how many customers came again, and what share of sales that is. For some stores, only what those stores know counts."""
    rows = await repeat_sales(reads, asked.scope)
    return RepeatReply(**Coverage.of(asked), rows=[RepeatRow.of(row) for row in rows])
