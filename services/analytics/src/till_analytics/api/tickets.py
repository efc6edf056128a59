"""The average receipt."""

from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from till_analytics.api.access import Covered
from till_analytics.api.coverage import Coverage, Limit
from till_analytics.domain.period import mean, share
from till_analytics.projections.sales_report import sales_report
from till_platform.http import ReadsDep

router = APIRouter(prefix="/v1", tags=["sales"])

ReceiptBy = Literal["store", "day", "week", "month", "channel", "operator"]


class TicketRow(BaseModel):
    """The average receipt of a group: what was paid on it (minor units, returns left out) and how many lines it had (a decimal number)."""

    key: str | None
    name: str | None
    currency: str
    receipts: int
    lines: int
    sales_minor: int
    average_ticket_minor: int | None
    lines_per_receipt: Decimal | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> "TicketRow":
        receipts, lines = row["receipts"], row["lines"]
        return cls(
            **{name: row[name] for name in ("key", "name", "currency", "receipts", "lines", "sales_minor")},
            average_ticket_minor=mean(row["sales_minor"], receipts),
            lines_per_receipt=share(lines, receipts),
        )


class TicketReply(Coverage):
    """The average ticket by group, and over all groups by currency."""

    rows: list[TicketRow]
    totals: list[TicketRow]
    more: bool


@router.get("/sales/average-ticket")
async def average_ticket(asked: Covered, reads: ReadsDep, by: ReceiptBy = "month", limit: Limit = 1_000) -> TicketReply:
    """Say what the average receipt comes to."""
    report = await sales_report(reads, by, asked.scope, limit=limit)
    return TicketReply(
        **Coverage.of(asked),
        rows=[TicketRow.of(row) for row in report.rows],
        totals=[TicketRow.of(row) for row in report.totals],
        more=report.more,
    )
