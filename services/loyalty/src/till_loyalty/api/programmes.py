"""The rules of the programme, and how they are changed."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Response
from pydantic import Field

from till_events.loyalty import ProgrammeRules, TierRule
from till_loyalty.api.access import Reader, RuleMaking
from till_loyalty.api.bodies import Body, Id, Moment, PathId, Text
from till_loyalty.api.replies import Reply
from till_loyalty.commands.publish_rules import PublishRules, programme_of, publish_rules
from till_loyalty.domain.errors import UnknownProgramme
from till_loyalty.domain.programme import Programme
from till_loyalty.domain.rules import Rules
from till_platform.domain import Invalid
from till_platform.http import ClockDep, LogDep, Once, problems, tag

router = APIRouter(prefix="/v1/programmes", tags=["programmes"])

_Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
_Amount = Annotated[int, Field(strict=True, ge=0, le=10**12)]


class TierBody(Body):
    """A level: reached by spending `threshold_minor` in the window; `earn_minor_per_point` is what a point costs on it."""

    tier: Id
    threshold_minor: _Amount
    earn_minor_per_point: _Amount


class RulesBody(Body):
    """How the programme works from `effective_from` on; from now on if that is not given."""

    name: Text
    effective_from: Moment | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217 code")]
    zone: Annotated[str, Field(max_length=64, description="IANA name, e.g. Europe/Warsaw")]
    tiers: Annotated[list[TierBody], Field(min_length=1, max_length=20)]
    tier_window_days: _Days
    pending_days: _Days
    validity_days: _Days
    point_value_minor: _Amount
    return_policy: Id
    hold_minutes: Annotated[int, Field(strict=True, ge=0, le=10_000)]
    earning_excludes: Annotated[tuple[Id, ...], Field(max_length=20)] = ("points", "gift_card")

    def rules(self) -> ProgrammeRules:
        return ProgrammeRules(
            tiers=tuple(TierRule(**tier.model_dump()) for tier in self.tiers),
            **self.model_dump(exclude={"name", "effective_from", "tiers"}),
        )


class TierReply(Reply):
    tier: str
    threshold_minor: int
    earn_minor_per_point: int


class RulesReply(Reply):
    """One version of the rules."""

    version: int
    effective_from: datetime
    currency: str
    zone: str
    tiers: list[TierReply]
    tier_window_days: int
    pending_days: int
    validity_days: int
    point_value_minor: int
    return_policy: str
    hold_minutes: int
    earning_excludes: list[str]

    @classmethod
    def of(cls, rules: Rules) -> "RulesReply":
        return cls(version=rules.version, effective_from=rules.effective_from, **msgspec.to_builtins(rules.terms))


class ProgrammeReply(Reply):
    """The programme, the rules in force now, and all rules it ever had, newest version first."""

    programme_id: str
    name: str
    in_force: RulesReply
    versions: list[RulesReply]

    @classmethod
    def of(cls, programme: Programme, now: datetime) -> "ProgrammeReply":
        return cls(
            programme_id=programme.identity,
            name=programme.name,
            in_force=RulesReply.of(programme.rules_at(now)),
            versions=[RulesReply.of(rules) for rules in reversed(programme.versions)],
        )


@router.get("/{programme_id}", responses=problems(UnknownProgramme))
async def show(
    programme_id: PathId,
    who: Reader,  # noqa: ARG001 - any role may read the rules
    log: LogDep,
    clock: ClockDep,
    response: Response,
) -> ProgrammeReply:
    """Show the programme and its rules."""
    programme = await programme_of(log, programme_id)
    tag(response, programme.version)
    return ProgrammeReply.of(programme, clock.now())


@router.post("/{programme_id}/rules", status_code=201, responses=problems(UnknownProgramme, Invalid))
async def publish(
    programme_id: PathId,
    body: RulesBody,
    who: RuleMaking,  # noqa: ARG001 - the event names who did it
    log: LogDep,
    clock: ClockDep,
    once: Once,
) -> ProgrammeReply:
    """Publish rules. Purchases are judged by the rules of their own time; those judged already stay as they are."""
    now = clock.now()
    command = PublishRules(
        programme_id=programme_id, name=body.name, rules=body.rules(), effective_from=body.effective_from or now
    )
    return await once(
        lambda: log.retrying(lambda: publish_rules(command, log, now)),
        lambda programme: ProgrammeReply.of(programme, now),
    )
