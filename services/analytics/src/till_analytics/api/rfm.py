"""The ranking of customers: who is in which group, and by what rules."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from till_analytics.api.access import AsOf, Publisher, Reader, Stores, day_or_last_loaded
from till_analytics.api.spreadsheet import CSV_TOO, WantsCsv, as_csv
from till_analytics.commands.publish_rfm_model import PublishRfmModel, publish_rfm_model
from till_analytics.commands.score_customers import ScoreCustomers, score_customers
from till_analytics.domain.rfm_model import MODEL, Ranking, RfmModel, UnusableRfmModel
from till_analytics.projections.rfm_scores import rfm_groups, rfm_scores
from till_events.analytics import RfmGroup
from till_platform.domain import NotFound
from till_platform.http import ClockDep, CursorDep, LogDep, Once, Page, ReadsDep, problems, tag

router = APIRouter(prefix="/v1/rfm", tags=["rfm"])

_Score = Annotated[int, Field(ge=0, le=20)]
_Cuts = Annotated[list[Annotated[int, Field(ge=-(2**53), le=2**53)]], Field(max_length=19)]
_DayCuts = Annotated[list[Annotated[int, Field(ge=0, le=100_000)]], Field(max_length=19)]


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
    model, ranking = await _in_force(log)
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
    model, ranking = await _in_force(log)
    day = await day_or_last_loaded(as_of, reads, clock)
    rows = await rfm_groups(reads, ranking, day, stores=stores)
    return GroupsReply(
        as_of=day, model_version=model.number, currency=ranking.currency, rows=[GroupRow(**row) for row in rows]
    )


class GroupBody(BaseModel):
    """A group: the recency scores and the frequency-and-money scores that belong to it, bounds included.

    Who never bought has 0 for both.
    """

    model_config = ConfigDict(extra="forbid")

    group: Annotated[str, Field(min_length=1, max_length=100)]
    recency_from: _Score
    recency_to: _Score
    value_from: _Score
    value_to: _Score


class ModelBody(BaseModel):
    """The rules of ranking: window in days, currency, cut points (days, receipts, minor units) and groups.

    Without cut points a measure is split into five equal shares of customers. The value score is the mean of frequency and money,
    halves up.
    """

    model_config = ConfigDict(extra="forbid")

    window_days: Annotated[int, Field(ge=1, le=36_500)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    groups: Annotated[list[GroupBody], Field(min_length=1, max_length=500)]
    recency_cuts: _DayCuts = []
    frequency_cuts: _Cuts = []
    money_cuts: _Cuts = []

    def to_ranking(self) -> Ranking:
        return Ranking(
            window_days=self.window_days,
            currency=self.currency,
            groups=tuple(RfmGroup(**group.model_dump()) for group in self.groups),
            recency_cuts=tuple(self.recency_cuts),
            frequency_cuts=tuple(self.frequency_cuts),
            money_cuts=tuple(self.money_cuts),
        )


class ModelReply(ModelBody):
    """The rules of ranking in force."""

    version: int

    @classmethod
    def of(cls, model: RfmModel) -> "ModelReply":
        ranking = model.ranking
        assert ranking is not None
        plain: dict[str, Any] = {
            "window_days": ranking.window_days,
            "currency": ranking.currency,
            "recency_cuts": list(ranking.recency_cuts),
            "frequency_cuts": list(ranking.frequency_cuts),
            "money_cuts": list(ranking.money_cuts),
        }
        groups = [
            GroupBody(
                group=group.group,
                recency_from=group.recency_from,
                recency_to=group.recency_to,
                value_from=group.value_from,
                value_to=group.value_to,
            )
            for group in ranking.groups
        ]
        return cls(**plain, groups=groups, version=model.number)


@router.get("/model", responses=problems(NotFound))
async def model(_: Reader, log: LogDep, response: Response) -> ModelReply:
    """Show the rules of ranking in force."""
    found, _ranking = await _in_force(log)
    tag(response, found.version)
    return ModelReply.of(found)


@router.post("/model", status_code=201, responses=problems(UnusableRfmModel))
async def publish(body: ModelBody, _: Publisher, log: LogDep, clock: ClockDep, once: Once) -> ModelReply:
    """Publish the rules of ranking that hold from now on. Every score must belong to exactly one group."""
    command = PublishRfmModel(ranking=body.to_ranking(), at=clock.now())
    return await once(lambda: log.retrying(lambda: publish_rfm_model(command, log)), ModelReply.of)


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


async def _in_force(log: LogDep) -> tuple[RfmModel, Ranking]:
    found = await log.load(RfmModel, MODEL)
    assert found.ranking is not None
    return found, found.ranking
