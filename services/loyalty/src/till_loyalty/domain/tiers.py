"""Levels go by what was spent in a window of days, never by the balance: redeeming points costs nobody their level."""

from datetime import datetime

from till_events.loyalty import TierChanged
from till_loyalty.domain.account import Account
from till_loyalty.domain.programme import Programme


def review_tier(account: Account, programme: Programme, *, at: datetime) -> None:
    """Move the customer to the level that the spending in the window ending on the day of `at` reaches, up or down.

    Done after every purchase and return, and by the clock for customers whose spending grew old. What was announced holds until
    the next review: a level never changes silently. After something that reports late, the window ends on the latest day known.
    """
    at = max(at, account.latest) if account.latest else at
    rules = programme.rules_at(at)
    day = rules.local_day(at)
    first_day, since, until = rules.window(day)
    spend = account.spending.between(since, until)
    tier = rules.tier_for(spend).tier
    if tier != account.tier:
        account.record(
            TierChanged(
                occurred_at=at,
                account_id=account.account_id,
                customer_id=account.customer_id,
                from_tier=account.tier,
                to_tier=tier,
                spend_minor=spend,
                currency=rules.terms.currency,
                window_from=first_day,
                window_to=day,
                rules_version=rules.version,
            )
        )
