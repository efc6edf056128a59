"""The ranking of customers: who is in which group."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from till_analytics.api.access import AsOf, Publisher, Stores, day_or_last_loaded
from till_analytics.api.rfm_model import in_force
from till_analytics.api.spreadsheet import CSV_TOO, WantsCsv, as_csv
from till_analytics.commands.score_customers import ScoreCustomers, score_customers
from till_analytics.projections.rfm_scores import rfm_groups, rfm_scores
from till_platform.domain import NotFound
from till_platform.http import ClockDep, CursorDep, LogDep, Page, ReadsDep, problems

router = APIRouter(prefix="/v1/rfm", tags=["rfm"])


class RfmRow(BaseModel):
    """A customer's measures in the model's window (days, receipts, minor units less refunds), scores and group.

    Scores start at 1, the worst. Who registered and never bought has zeros and no recency.
    """

    customer_id: str
    recency_days: int | None
    frequency: int
    monetary_minor: int
    r: int
    f: int
    m: int
    group: str


class RfmReply(Page[RfmRow]):
    """Some customers in the order of their ids, as of a day, by a version of the model."""

    as_of: date
    model_version: int


@router.get("", response_model=RfmReply, responses=CSV_TOO)
async def scores(
    stores: Stores,
    log: LogDep,
    reads: ReadsDep,
    clock: ClockDep,
    cursor: CursorDep,
    csv: WantsCsv,
    as_of: AsOf = None,
    group: Annotated[str | None, Query(max_length=100, description="Only the customers of this group.")] = None,
) -> RfmReply | Response:
    """Rank customers as of any business day. For some stores, they are ranked by what those stores know of them. CSV has them all."""
    model, ranking = await in_force(log)
    day = await day_or_last_loaded(as_of, reads, clock)
    limit = None if csv else cursor.fetch
    after = str(cursor.after[0]) if cursor.after else None
    rows = await rfm_scores(reads, ranking, day, stores=stores, group=group, after=after, limit=limit)
    if csv:
        return as_csv(RfmRow, [RfmRow(**row) for row in rows])
    page = cursor.page(rows, key=lambda row: (row["customer_id"],), item=lambda row: RfmRow(**row))
    return RfmReply(as_of=day, model_version=model.number, items=page.items, next_cursor=page.next_cursor)


class GroupRow(BaseModel):
    """A group, and what its customers bought in the model's window (minor units less refunds)."""

    group: str
    customers: int
    receipts: int
    monetary_minor: int


class GroupsReply(BaseModel):
    """All groups as of a day, empty ones too."""

    as_of: date
    model_version: int
    currency: str
    rows: list[GroupRow]


@router.get("/groups")
async def groups(stores: Stores, log: LogDep, reads: ReadsDep, clock: ClockDep, as_of: AsOf = None) -> GroupsReply:
    """Say how many customers are in each group, and what they bring in."""
    model, ranking = await in_force(log)
    day = await day_or_last_loaded(as_of, reads, clock)
    rows = await rfm_groups(reads, ranking, day, stores=stores)
    return GroupsReply(
        as_of=day, model_version=model.number, currency=ranking.currency, rows=[GroupRow(**row) for row in rows]
    )


class ScoringBody(BaseModel):
    """The business day to score as of; the last one loaded if not given."""

    model_config = ConfigDict(extra="forbid")

    as_of: date | None = None


class ScoringReply(BaseModel):
    """How many customers were scored, how many of them changed, and how many are in each group."""

    as_of: date
    model_version: int
    customers: int
    changed: int
    groups: dict[str, int]


@router.post("/scores", responses=problems(NotFound))
async def score(body: ScoringBody, _: Publisher, log: LogDep, reads: ReadsDep, clock: ClockDep) -> ScoringReply:
    """Rank all customers of the chain as of a day and record every change. Asking again changes nothing, so no key is needed."""
    day = await day_or_last_loaded(body.as_of, reads, clock)
    scored = await score_customers(ScoreCustomers(as_of=day, at=clock.now()), log, reads)
    return ScoringReply(
        as_of=scored.as_of,
        model_version=scored.model_version,
        customers=scored.customers,
        changed=scored.changed,
        groups=scored.groups,
    )
