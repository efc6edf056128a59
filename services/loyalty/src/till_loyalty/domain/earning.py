"""How a purchase earns points."""

from till_events.loyalty import PointsAccrued
from till_events.order import PurchaseRecorded
from till_loyalty.domain.account import Account
from till_loyalty.domain.programme import Programme
from till_loyalty.domain.returning import collect_debts, take_back
from till_loyalty.domain.tiers import review_tier


def accrue(account: Account, purchase: PurchaseRecorded, programme: Programme) -> None:
    """Credit a purchase: a lot of points, by the rules and the level of the time it happened.

    A purchase counts once, however often it is told, and one that reports late counts for its own day. One that earns nothing (paid
    with points, too small, in a currency the programme does not know) is recorded with 0 points: it may still count as spending. If its
    goods went back before it reported, they are settled now. Raises `Invalid` for a purchase outside all time.
    """
    if purchase.purchase_id in account.lots:
        return
    at = purchase.occurred_at
    rules = programme.rules_at(at)
    day = rules.local_day(at)
    spend = rules.spend_of(purchase)
    tier = rules.tier(account.tier_at(at)) or rules.lowest_tier
    basis = rules.basis_of(purchase)
    early = account.early_returns.get(purchase.purchase_id)
    account.record(
        PointsAccrued(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=account.customer_id,
            lot_id=purchase.purchase_id,
            points=basis // tier.earn_minor_per_point,
            basis_minor=basis,
            currency=purchase.currency,
            spend_minor=spend,
            purchase_id=purchase.purchase_id,
            store_id=purchase.store_id,
            programme_id=account.programme_id,
            rules_version=rules.version,
            tier=tier.tier,
            available_from=rules.available_from(day, at),
            expires_at=rules.expires_at(day),
        )
    )
    if early:
        last_return, _ = early[-1]
        take_back(account, last_return, purchase.purchase_id, rules, at=at, spend_minor=0)
    if account.debts:
        collect_debts(account, purchase.purchase_id, rules, at=at)
    review_tier(account, programme, at=at)
