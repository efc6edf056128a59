"""The rules by which customers are ranked."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from till_analytics.api.access import Publisher, Reader
from till_analytics.commands.publish_rfm_model import PublishRfmModel, publish_rfm_model
from till_analytics.domain.rfm_model import MODEL, Ranking, RfmModel, UnusableRfmModel
from till_events.analytics import RfmGroup
from till_platform.domain import NotFound
from till_platform.http import ClockDep, LogDep, Once, problems, tag

router = APIRouter(prefix="/v1/rfm/model", tags=["rfm"])

_Score = Annotated[int, Field(ge=0, le=20)]
_Cuts = Annotated[list[Annotated[int, Field(ge=-(2**53), le=2**53)]], Field(max_length=19)]
_DayCuts = Annotated[list[Annotated[int, Field(ge=0, le=100_000)]], Field(max_length=19)]


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


@router.get("", responses=problems(NotFound))
async def model(_: Reader, log: LogDep, response: Response) -> ModelReply:
    """Show the rules of ranking in force."""
    found, _ranking = await in_force(log)
    tag(response, found.version)
    return ModelReply.of(found)


@router.post("", status_code=201, responses=problems(UnusableRfmModel))
async def publish(body: ModelBody, _: Publisher, log: LogDep, clock: ClockDep, once: Once) -> ModelReply:
    """Publish the rules of ranking that hold from now on. Every score must belong to exactly one group."""
    command = PublishRfmModel(ranking=body.to_ranking(), at=clock.now())
    return await once(lambda: log.retrying(lambda: publish_rfm_model(command, log)), ModelReply.of)


async def in_force(log: LogDep) -> tuple[RfmModel, Ranking]:
    """Return the model and its ranking; raise `NotFound` before the first was published."""
    found = await log.load(RfmModel, MODEL)
    assert found.ranking is not None
    return found, found.ranking
