"""Grand totals."""

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from till_analytics.api.access import Covered
from till_analytics.api.coverage import Coverage
from till_analytics.projections.totals import grand_totals
from till_platform.http import ReadsDep

router = APIRouter(prefix="/v1", tags=["sales"])


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
