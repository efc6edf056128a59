"""What happens to points when goods go back: those the goods earned are taken back, those that paid for them are given back."""

from collections.abc import Iterator
from datetime import datetime

from till_events.ids import PurchaseId
from till_events.loyalty import PointsRestored, PointsReversed, ReturnWithoutPoints
from till_events.order import PurchaseReturned
from till_loyalty.domain.account import Account
from till_loyalty.domain.holds import Hold
from till_loyalty.domain.lots import Lot, in_order_of_spending, take, total
from till_loyalty.domain.programme import Programme
from till_loyalty.domain.rules import POINTS, Rules
from till_loyalty.domain.tiers import review_tier


def settle_return(account: Account, returned: PurchaseReturned, programme: Programme) -> None:
    """Settle a return slip: take back what its goods had earned, give back the points it refunds, lower the spending.

    A slip counts once. Goods that earned nothing here, or whose purchase has not reported yet, only lower the spending; the
    purchase settles the rest when it comes.
    """
    if returned.return_id in account.returns:
        return
    at = returned.occurred_at
    rules = programme.rules_at(at)
    lot = account.lots.get(returned.purchase_id) if returned.purchase_id else None
    spend = _money_back(returned, rules)
    if lot is None or not lot.points:
        account.record(
            ReturnWithoutPoints(
                occurred_at=at,
                account_id=account.account_id,
                customer_id=account.customer_id,
                return_id=returned.return_id,
                spend_minor=spend,
                currency=rules.terms.currency,
                purchase_id=returned.purchase_id,
            )
        )
    else:
        take_back(account, returned.return_id, lot.id, rules, at=at, spend_minor=spend)
    _give_back_points(account, returned)
    review_tier(account, programme, at=at)


def take_back(
    account: Account, return_id: str, purchase_id: str, rules: Rules, *, at: datetime, spend_minor: int
) -> None:
    """Take back a purchase's points in proportion to the money that went back, by the return policy of the time.

    First from the purchase's own lot; then, so far as the policy allows, from other points: pending ones before those the customer
    can already spend. `only_pending` never touches points that are spendable; `within_balance` takes what there is; `unlimited`
    also takes the rest from what is earned later. The balance never goes below zero.
    """
    lot = account.lots[purchase_id]
    due = lot.to_take_back(at, spend_minor)
    allocations = take(due, account.free(_sources(account, lot, rules.terms.return_policy, at), at))
    account.record(
        PointsReversed(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=account.customer_id,
            return_id=return_id,
            purchase_id=PurchaseId(lot.id),
            points=due,
            allocations=allocations,
            shortfall=due - total(allocations),
            policy=rules.terms.return_policy,
            spend_minor=spend_minor,
            currency=rules.terms.currency,
        )
    )


def collect_debts(account: Account, lot_id: str, rules: Rules, *, at: datetime) -> None:
    """Let newly earned points pay what earlier returns could not collect, the oldest first."""
    for return_id, (purchase_id, owed) in list(account.debts.items()):
        allocations = take(owed, account.free((account.lots[lot_id],), at))
        if allocations:
            account.record(
                PointsReversed(
                    occurred_at=at,
                    account_id=account.account_id,
                    customer_id=account.customer_id,
                    return_id=return_id,
                    purchase_id=PurchaseId(purchase_id),
                    points=owed,
                    allocations=allocations,
                    shortfall=owed - total(allocations),
                    policy="unlimited",
                    spend_minor=0,
                    currency=rules.terms.currency,
                )
            )


def restore(account: Account, hold: Hold, points: int, *, at: datetime, return_id: str | None = None) -> None:
    """Give back points that paid for a sale now undone, to the lots they came from, with their first expiry dates.

    Those that would have expired meanwhile come back expired: undoing a sale is no way around the calendar.
    """
    back = take(points, [(part.lot_id, part.points) for part in hold.to_give_back])
    if not back:
        return
    account.record(
        PointsRestored(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=account.customer_id,
            hold_id=hold.id,
            points=total(back),
            allocations=back,
            expired=sum(part.points for part in back if account.lots[part.lot_id].is_expired(at)),
            return_id=return_id,
        )
    )


def _sources(account: Account, own: Lot, policy: str, at: datetime) -> Iterator[Lot]:
    """Yield the lots a return may take from, in order, looking no further than needed."""
    may_spend_down = policy != "only_pending"
    if own.is_pending(at) or (may_spend_down and not own.is_expired(at)):
        yield own
    others = in_order_of_spending(lot for lot in account.lots.values() if lot is not own and lot.remaining)
    yield from (lot for lot in others if lot.is_pending(at))
    if may_spend_down:
        yield from (lot for lot in others if lot.is_spendable(at))


def _money_back(returned: PurchaseReturned, rules: Rules) -> int:
    if returned.currency != rules.terms.currency:
        return 0
    return max(0, returned.total_minor - _points_back(returned))


def _points_back(returned: PurchaseReturned) -> int:
    return sum(refund.amount_minor for refund in returned.refunds if refund.method == POINTS)


def _give_back_points(account: Account, returned: PurchaseReturned) -> None:
    """Turn what a slip refunds in points into points, by what a point was worth when it was spent."""
    worth = _points_back(returned)
    for hold in list(account.holds.values()):
        paid_for_it = (hold.purchase_id and hold.purchase_id == returned.purchase_id) or (
            hold.order_id and hold.order_id == returned.order_id
        )
        if worth and hold.state == "captured" and paid_for_it:
            point_value = hold.value_minor // hold.points
            given_back_before = hold.given_back
            restore(account, hold, worth // point_value, at=returned.occurred_at, return_id=returned.return_id)
            worth -= (hold.given_back - given_back_before) * point_value
