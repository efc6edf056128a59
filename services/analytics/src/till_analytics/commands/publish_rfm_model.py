"""The chain decides how it ranks its customers."""

from dataclasses import dataclass
from datetime import UTC, datetime

from till_analytics.domain.default_model import DEFAULT_RANKING
from till_analytics.domain.rfm_model import MODEL, Ranking, RfmModel
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class PublishRfmModel:
    """The ranking that is to hold from `at` on."""

    ranking: Ranking
    at: datetime


async def publish_rfm_model(command: PublishRfmModel, log: Log) -> RfmModel:
    """Publish the ranking as the next version; publishing the present one again changes nothing. Raises `UnusableRfmModel`."""
    model = await log.find(RfmModel, MODEL)
    model.publish(command.ranking, command.at)
    await log.save(model)
    return model


async def seed(log: Log) -> None:
    """Give a new installation the ranking to start with. A chain's own stays as it is."""
    model = await log.find(RfmModel, MODEL)
    if not model.exists:
        model.publish(DEFAULT_RANKING, datetime.now(UTC))
        await log.save(model)
