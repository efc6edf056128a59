"""Customers as figures: who spends most, who is new, how one of them is ranked. Ids only, never names."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from till_analytics.api.access import Asked, AsOf, Covered, Covering, Reader, Stores, day_or_last_loaded
from till_analytics.api.coverage import Coverage
from till_analytics.api.rfm import RfmRow
from till_analytics.api.rfm_model import in_force
from till_analytics.api.spreadsheet import CSV_TOO, WantsCsv, as_csv
from till_analytics.domain.customer_rank import CustomerRank
from till_analytics.projections.rfm_scores import rfm_scores
from till_analytics.projections.signups import days_of_signups, signups_by
from till_analytics.projections.top_customers import top_customers
from till_platform.domain import NotFound
from till_platform.http import ClockDep, LogDep, ReadsDep, problems

router = APIRouter(prefix="/v1/customers", tags=["customers"])


class TopRow(BaseModel):
    """A customer's place in one currency, by what they spent less what was given back (minor units)."""

    place: int
    customer_id: str
    currency: str
    net_minor: int
    sales_minor: int
    refunds_minor: int
    receipts: int
    returns: int
    last_bought_on: date | None


class TopReply(Coverage):
    """The best customers, a list for each currency."""

    rows: list[TopRow]


@router.get("/top", response_model=TopReply, responses=CSV_TOO)
async def top(
    asked: Covered, reads: ReadsDep, csv: WantsCsv, limit: Annotated[int, Query(ge=1, le=10_000)] = 10
) -> TopReply | Response:
    """Say who spent most."""
    rows = [TopRow(**row) for row in await top_customers(reads, asked.scope, limit=limit)]
    return as_csv(TopRow, rows) if csv else TopReply(**Coverage.of(asked), rows=rows)


class SignupsRow(BaseModel):
    """How many registered; `key` is a day, a store or a source, None where none is known."""

    key: str | None
    customers: int


class SignupsReply(Coverage):
    """New registrations."""

    rows: list[SignupsRow]


@router.get("/signups")
async def signups(
    asked: Annotated[Asked, Depends(Covering(days_of_signups))],
    reads: ReadsDep,
    by: Literal["day", "store", "source"] = "day",
) -> SignupsReply:
    """Say how many customers registered. A day is one of the store's, where the store is known."""
    rows = await signups_by(reads, by, asked.scope)
    return SignupsReply(**Coverage.of(asked), rows=[SignupsRow(**row) for row in rows])


class RecordedRank(BaseModel):
    """The rank that was last recorded and published of a customer, for the whole chain."""

    as_of: date
    group: str
    r: int
    f: int
    m: int


class CustomerRfmReply(BaseModel):
    """How a customer stands as of a day, and what was last recorded of them, if they were ever scored."""

    as_of: date
    model_version: int
    score: RfmRow
    recorded: RecordedRank | None


@router.get("/{customer_id}/rfm", responses=problems(NotFound))
async def customer_rfm(
    customer_id: Annotated[str, Path(min_length=1, max_length=200)],
    stores: Stores,
    who: Reader,
    log: LogDep,
    reads: ReadsDep,
    clock: ClockDep,
    as_of: AsOf = None,
) -> CustomerRfmReply:
    """Rank one customer as of any business day. Who reaches some stores only sees what those stores know."""
    model, ranking = await in_force(log)
    day = await day_or_last_loaded(as_of, reads, clock)
    found = await rfm_scores(reads, ranking, day, stores=stores, customer_id=customer_id)
    if not found:
        raise NotFound("nothing is known of that customer as of that day", id=customer_id, as_of=day.isoformat())
    rank = await log.find(CustomerRank, customer_id)
    recorded = None
    if rank.exists and who.stores is None:
        assert rank.as_of is not None
        assert rank.scores is not None
        assert rank.group is not None
        r, f, m = rank.scores
        recorded = RecordedRank(as_of=rank.as_of, group=rank.group, r=r, f=f, m=m)
    return CustomerRfmReply(as_of=day, model_version=model.number, score=RfmRow(**found[0]), recorded=recorded)
