"""Orders as figures: where they stand, and who took them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from till_analytics.api.access import Asked, Covering
from till_analytics.api.coverage import Coverage
from till_analytics.projections.orders import days_of_orders, orders_by
from till_platform.http import ReadsDep

router = APIRouter(prefix="/v1/orders", tags=["orders"])


class OrdersRow(BaseModel):
    """Some orders as they stand now (minor units). `upsold_minor` is what changes of the lines added since they were placed."""

    key: str | None
    currency: str
    orders: int
    completed: int
    cancelled: int
    total_minor: int
    completed_minor: int
    upsold_minor: int


class OrdersReply(Coverage):
    """Orders placed in a period."""

    rows: list[OrdersRow]


@router.get("")
async def orders(
    asked: Annotated[Asked, Depends(Covering(days_of_orders))],
    reads: ReadsDep,
    by: Literal["phase", "status", "operator", "channel"] = "phase",
) -> OrdersReply:
    """Count the orders placed in the period (UTC days), by where they stand or by who took them."""
    rows = await orders_by(reads, by, asked.scope)
    return OrdersReply(**Coverage.of(asked), rows=[OrdersRow(**row) for row in rows])
