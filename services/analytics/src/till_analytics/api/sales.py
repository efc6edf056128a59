"""Sales and growth."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from till_analytics.api.access import Asked, Covered
from till_analytics.api.spreadsheet import CSV_TOO, WantsCsv, as_csv
from till_analytics.domain.period import Change, Comparison, mean, share
from till_analytics.projections.growth import Growth, sales_growth
from till_analytics.projections.repeat_sales import repeat_sales
from till_analytics.projections.sales_report import By, sales_report
from till_analytics.projections.totals import grand_totals
from till_platform.http import ReadsDep

router = APIRouter(prefix="/v1", tags=["sales"])

Limit = Annotated[int, Query(ge=1, le=100_000, description="How many rows at most.")]
GroupBy = Literal[
    "store", "channel", "operator", "payment", "department", "category", "manufacturer", "brand", "product"
]
ReceiptBy = Literal["store", "day", "week", "month", "channel", "operator"]


class Coverage(BaseModel):
    """What a report covers: business days from `from` to `to`. `loaded_to` is the last day of which anything is known."""

    model_config = ConfigDict(populate_by_name=True)

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    loaded_to: date | None

    @staticmethod
    def of(asked: Asked) -> dict[str, Any]:
        period = asked.scope.period
        return {"first": period.first, "last": period.last, "loaded_to": asked.loaded_to}


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


class TotalsRow(BaseModel):
    """All trade in one currency. `agrees` tells that receipts, their lines and their tenders come to the same amount, to the cent."""

    currency: str
    receipts: int
    lines: int
    sales_minor: int
    returns: int
    returned_lines: int
    refunds_minor: int
    net_minor: int
    customers: int
    stores: int
    first_day: date
    last_day: date
    agrees: bool

    @classmethod
    def of(cls, row: dict[str, Any]) -> "TotalsRow":
        agrees = row["net_minor"] == row["lines_net_minor"] == row["tenders_net_minor"]
        return cls(**row, agrees=agrees)


class TotalsReply(Coverage):
    """Grand totals by currency."""

    rows: list[TotalsRow]


@router.get("/totals")
async def totals(asked: Covered, reads: ReadsDep) -> TotalsReply:
    """Say what everything comes to."""
    rows = await grand_totals(reads, asked.scope)
    return TotalsReply(**Coverage.of(asked), rows=[TotalsRow.of(row) for row in rows])
