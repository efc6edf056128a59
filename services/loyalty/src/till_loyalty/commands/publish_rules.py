"""Publish the rules of the programme."""

from dataclasses import dataclass
from datetime import datetime

from till_events.loyalty import ProgrammeRules
from till_loyalty.domain import defaults
from till_loyalty.domain.errors import UnknownProgramme
from till_loyalty.domain.programme import MAIN, Programme
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class PublishRules:
    """The chain decides how its programme works from `effective_from` on."""

    programme_id: str
    name: str
    rules: ProgrammeRules
    effective_from: datetime


async def publish_rules(command: PublishRules, log: Log, now: datetime) -> Programme:
    """Publish the next version of the rules; those before it stay. Raises `UnknownProgramme` or `Invalid`."""
    programme = await programme_of(log, command.programme_id)
    programme.publish(name=command.name, rules=command.rules, effective_from=command.effective_from, at=now)
    await log.save(programme)
    return programme


async def programme_of(log: Log, programme_id: str) -> Programme:
    """Return the programme. Raises `UnknownProgramme`."""
    programme = await log.find(Programme, programme_id)
    if not programme.exists:
        raise UnknownProgramme(f"the chain runs no programme {programme_id}", programmes=[MAIN])
    return programme


async def publish_default_rules(log: Log) -> None:
    """Publish the rules a chain starts with, if it has none."""
    programme = await log.find(Programme, MAIN)
    if not programme.exists:
        beginning = defaults.FROM_THE_BEGINNING
        programme.publish(name=defaults.NAME, rules=defaults.RULES, effective_from=beginning, at=beginning)
        await log.save(programme)
