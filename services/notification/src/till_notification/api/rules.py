"""Which happening sends which message."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from till_notification.api.access import Reader, Writer
from till_notification.commands.publish_rule import PublishRule, publish_rule
from till_notification.commands.wordings import NoWords
from till_notification.domain.happening import UnknownHappening
from till_notification.domain.rule_book import LONGEST_USE_MINUTES, Rule, RuleBook
from till_notification.domain.wording import UnsuitableWording
from till_notification.projections.rules import rules_in_force
from till_platform.http import ClockDep, LogDep, Once, ReadsDep, problems

router = APIRouter(prefix="/v1/rules", tags=["rules"])


class RuleBody(BaseModel):
    """A rule. `status` is a status of the chain's own, or one of the phases; without one, every move of an order is meant."""

    model_config = ConfigDict(extra="forbid")

    rule_id: Annotated[str, Field(min_length=1, max_length=64)]
    on: Annotated[str, Field(examples=["OrderStatusChanged"])]
    status: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    template_id: Annotated[str, Field(min_length=1, max_length=64)]
    channels: Annotated[list[Literal["sms", "email"]], Field(min_length=1, max_length=2)]
    purpose: Literal["transactional", "marketing", "loyalty", "survey"]
    stale_after_minutes: Annotated[int, Field(ge=1, le=LONGEST_USE_MINUTES)]
    urgent: bool = False
    enabled: bool = True


class RuleReply(RuleBody):
    """A rule in its newest version."""

    version: int
    published_at: datetime

    @classmethod
    def of(cls, book: RuleBook, rule_id: str) -> "RuleReply":
        newest = book.rules[rule_id]
        fields = {name: getattr(newest, name) for name in RuleBody.model_fields}
        return cls(
            **{**fields, "channels": list(newest.channels)}, version=newest.version, published_at=newest.occurred_at
        )


class Rules(BaseModel):
    items: list[RuleReply]


@router.post("", status_code=201, responses=problems(UnknownHappening, NoWords, UnsuitableWording))
async def publish(body: RuleBody, _: Writer, log: LogDep, clock: ClockDep, once: Once) -> RuleReply:
    """Publish a rule: from now on messages go by it. A rule of the same id is replaced; `enabled: false` switches it off."""
    command = PublishRule(rule=Rule(**body.model_dump()), at=clock.now())
    return await once(
        lambda: log.retrying(lambda: publish_rule(command, log)), lambda book: RuleReply.of(book, body.rule_id)
    )


@router.get("")
async def list_rules(_: Reader, reads: ReadsDep) -> Rules:
    """List all rules, those that are switched off too."""
    return Rules(items=[RuleReply(**row) for row in await rules_in_force(reads)])
