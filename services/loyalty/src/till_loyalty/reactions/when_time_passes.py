"""What happens by the clock alone. The clock decided already; here it is announced."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from till_loyalty.domain.account import Account
from till_loyalty.domain.correcting import expire
from till_loyalty.domain.programme import MAIN, Programme
from till_loyalty.domain.redeeming import release_overdue
from till_loyalty.domain.tiers import review_tier
from till_loyalty.projections.holds import accounts_with_overdue_holds
from till_loyalty.projections.lots import accounts_off_their_tier, accounts_with_overdue_lots
from till_platform.eventstore.log import Log
from till_platform.parts import Parts

_AT_ONCE = 50
"""So many accounts are loaded at a time: they come with every lot they ever had, and a worker is small."""

Find = Callable[..., Awaitable[list[str]]]


async def announce_expiry(parts: Parts) -> None:
    """Announce points that ran out of time, for the time they did."""
    await _portion_by_portion(parts, accounts_with_overdue_lots, lambda account, now: expire(account, at=now))


async def release_overdue_holds(parts: Parts) -> None:
    """Announce holds that ended without a sale, for the time they ended."""
    await _portion_by_portion(parts, accounts_with_overdue_holds, lambda account, now: release_overdue(account, at=now))


async def review_tiers(parts: Parts) -> None:
    """Move customers whose spending grew old, or whom new rules meet, to the level they are on."""
    now = parts.clock.now()
    programme = await parts.log.load(Programme, MAIN)
    rules = programme.rules_at(now)
    _, since, until = rules.window(rules.local_day(now))
    tiers = rules.terms.tiers
    found = await accounts_off_their_tier(
        parts.reads,
        since=since,
        until=until,
        tiers=[tier.tier for tier in tiers],
        thresholds=[tier.threshold_minor for tier in tiers],
    )
    for start in range(0, len(found), _AT_ONCE):
        portion = found[start : start + _AT_ONCE]
        await _each(parts.log, portion, lambda account: review_tier(account, programme, at=now))


async def _portion_by_portion(parts: Parts, find: Find, announce: Callable[[Account, datetime], None]) -> None:
    now = parts.clock.now()
    after = ""
    while found := await find(parts.reads, now, after=after, limit=_AT_ONCE):
        await _each(parts.log, found, lambda account: announce(account, now))
        after = found[-1]


async def _each(log: Log, account_ids: list[str], announce: Callable[[Account], None]) -> None:
    """Announce to each account. One that somebody else is changing at this moment waits for the next time."""
    accounts = await log.load_many(Account, account_ids)
    for account in accounts.values():
        announce(account)
    await log.save_each(list(accounts.values()))
