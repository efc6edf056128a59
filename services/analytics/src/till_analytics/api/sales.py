"""Sales and growth."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from till_analytics.api.access import Covered
from till_analytics.api.coverage import Coverage, Limit
from till_analytics.api.spreadsheet import CSV_TOO, WantsCsv, as_csv
from till_analytics.domain.period import Change, Comparison, mean
from till_analytics.projections.growth import Growth, sales_growth
from till_analytics.projections.sales_report import By, sales_report
from till_platform.http import ReadsDep

router = APIRouter(prefix="/v1", tags=["sales"])

GroupBy = Literal[
    "store", "channel", "operator", "payment", "department", "category", "manufacturer", "brand", "product"
]


class SalesFigures(BaseModel):
    """Money in minor units of `currency`; `net_minor` is sales less refunds. None where a figure has no meaning for the grouping."""

    currency: str
    sales_minor: int
    refunds_minor: int
    net_minor: int
    discount_minor: int | None
    receipts: int | None
    returns: int | None
    lines: int | None
    average_ticket_minor: int | None

    @staticmethod
    def figures(row: dict[str, Any]) -> dict[str, Any]:
        return {
            **row,
            "net_minor": row["sales_minor"] - row["refunds_minor"],
            "average_ticket_minor": mean(row["sales_minor"], row["receipts"] or 0),
        }


class SalesRow(SalesFigures):
    """One group. `key` is None for what belongs to none: products no catalogue describes, receipts without an operator."""

    key: str | None
    name: str | None
    unit: str | None
    quantity: Decimal | None
    returned_quantity: Decimal | None


class SalesReply(Coverage):
    """Sales by group, and in total by currency over all groups, whether shown or not."""

    by: By
    rows: list[SalesRow]
    totals: list[SalesFigures]
    more: bool


@router.get("/sales", response_model=SalesReply, responses=CSV_TOO)
async def sales(by: By, asked: Covered, reads: ReadsDep, csv: WantsCsv, limit: Limit = 1_000) -> SalesReply | Response:
    """Say what was sold and taken back, by store, day, department and so on.

    A return counts on the day and in the store where it was taken back. Departments, categories, brands and manufacturers are those the
    products have now, for the past too.
    """
    report = await sales_report(reads, by, asked.scope, limit=limit)
    rows = [SalesRow(**SalesRow.figures(row)) for row in report.rows]
    if csv:
        return as_csv(SalesRow, rows)
    totals = [SalesFigures(**SalesFigures.figures(row)) for row in report.totals]
    return SalesReply(**Coverage.of(asked), by=by, rows=rows, totals=totals, more=report.more)


class ChangeReply(BaseModel):
    """A figure now and before. `ratio` is the growth as a decimal number in text: `0.1250` is 12.5 % more; None where there was nothing."""

    now: int
    before: int
    absolute: int
    ratio: Decimal | None

    @classmethod
    def of(cls, change: Change) -> "ChangeReply":
        return cls(now=change.now, before=change.before, absolute=change.absolute, ratio=change.ratio)


class GrowthRow(BaseModel):
    """How one group did against the period before."""

    key: str | None
    name: str | None
    currency: str
    net_minor: ChangeReply
    receipts: ChangeReply | None

    @classmethod
    def of(cls, growth: Growth) -> "GrowthRow":
        return cls(
            key=growth.key,
            name=growth.name,
            currency=growth.currency,
            net_minor=ChangeReply.of(growth.net_minor),
            receipts=growth.receipts and ChangeReply.of(growth.receipts),
        )


class GrowthReply(Coverage):
    """Growth by group, the largest gain first, and in total by currency."""

    compared_from: date
    compared_to: date
    rows: list[GrowthRow]
    totals: list[GrowthRow]


@router.get("/sales/growth")
async def growth(
    asked: Covered, reads: ReadsDep, by: GroupBy = "store", against: Comparison = "previous", limit: Limit = 1_000
) -> GrowthReply:
    """Compare sales less refunds with the days just before, as many, or with the same weekdays a year before."""
    groups, totals = await sales_growth(reads, by, asked.scope, against)
    compared = asked.scope.period.compared_with(against)
    return GrowthReply(
        **Coverage.of(asked),
        compared_from=compared.first,
        compared_to=compared.last,
        rows=[GrowthRow.of(group) for group in groups[:limit]],
        totals=[GrowthRow.of(total) for total in totals],
    )
