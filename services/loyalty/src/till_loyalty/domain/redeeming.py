"""How points pay: put aside by a till, then captured when the sale goes through or released when it does not."""

from datetime import datetime, timedelta

from till_events.ids import OrderId, PurchaseId, StoreId
from till_events.loyalty import PointsHeld, PointsHoldReleased, PointsRedeemed
from till_loyalty.domain.account import Account
from till_loyalty.domain.errors import HoldExpired, HoldSettled, NotEnoughPoints, UnknownHold
from till_loyalty.domain.holds import Hold
from till_loyalty.domain.lots import in_order_of_spending, take
from till_loyalty.domain.programme import Programme
from till_platform.domain import Invalid


def hold_points(
    account: Account,
    programme: Programme,
    *,
    hold_id: str,
    points: int,
    store_id: StoreId,
    at: datetime,
    order_id: OrderId | None = None,
) -> Hold:
    """Put points aside for a sale: those that expire first, of equals the oldest. Raises `NotEnoughPoints`.

    A hold that comes again under its id changes nothing.
    """
    if (known := account.holds.get(hold_id)) is not None:
        return known
    if points < 1:
        raise Invalid("at least one point must be asked for", field="points")
    free = account.free(in_order_of_spending(lot for lot in account.lots.values() if lot.is_spendable(at)), at)
    if (available := sum(part for _, part in free)) < points:
        raise NotEnoughPoints(
            f"{available} points can be spent, {points} were asked for", asked=points, available=available
        )
    rules = programme.rules_at(at)
    account.record(
        PointsHeld(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=account.customer_id,
            hold_id=hold_id,
            points=points,
            allocations=take(points, free),
            value_minor=points * rules.terms.point_value_minor,
            currency=rules.terms.currency,
            store_id=store_id,
            expires_at=at + timedelta(minutes=rules.terms.hold_minutes),
            order_id=order_id,
        )
    )
    return account.holds[hold_id]


def capture(
    account: Account,
    hold_id: str,
    *,
    at: datetime,
    purchase_id: PurchaseId | None = None,
    order_id: OrderId | None = None,
) -> Hold:
    """Let held points pay. A repeat changes nothing. Raises `UnknownHold`, `HoldExpired`, or `HoldSettled` if they were released."""
    hold = hold_of(account, hold_id)
    if hold.state == "captured":
        return hold
    if hold.state == "released":
        raise HoldSettled("these points were released and cannot be captured", state=hold.state)
    gone = any(account.lots[part.lot_id].remaining < part.points for part in hold.allocations)
    if not hold.is_active(at) or gone:  # gone in time only if two clocks disagree: no balance goes below zero for that
        raise HoldExpired("the time to capture these points is over", expired_at=hold.expires_at.isoformat())
    account.record(
        PointsRedeemed(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=account.customer_id,
            hold_id=hold_id,
            points=hold.points,
            allocations=hold.allocations,
            value_minor=hold.value_minor,
            currency=hold.currency,
            store_id=hold.store_id,
            purchase_id=purchase_id,
            order_id=order_id or hold.order_id,
        )
    )
    return hold


def release(account: Account, hold_id: str, *, at: datetime) -> Hold:
    """Make held points spendable again: the sale did not happen, or its time is over. A repeat changes nothing.

    Raises `UnknownHold`, or `HoldSettled` if the points have paid already.
    """
    hold = hold_of(account, hold_id)
    if hold.state == "captured":
        raise HoldSettled("these points have paid already; restore them if the sale is undone", state=hold.state)
    if hold.state == "held":
        in_time = hold.is_active(at)
        account.record(
            PointsHoldReleased(
                occurred_at=at if in_time else hold.expires_at,
                account_id=account.account_id,
                customer_id=account.customer_id,
                hold_id=hold_id,
                points=hold.points,
                reason="cancelled" if in_time else "expired",
            )
        )
    return hold


def release_overdue(account: Account, *, at: datetime) -> None:
    """Announce the holds whose time is over. They stopped holding anything at that time, whenever this is said."""
    for hold in [hold for hold in account.holds.values() if hold.state == "held" and not hold.is_active(at)]:
        release(account, hold.id, at=at)


def hold_of(account: Account, hold_id: str) -> Hold:
    """Return the hold with this id. Raises `UnknownHold`."""
    try:
        return account.holds[hold_id]
    except KeyError:
        raise UnknownHold("no points were put aside under this id") from None
