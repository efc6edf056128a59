"""What happens to points outside a sale: somebody corrects a balance, and time runs out."""

from datetime import datetime

from till_events.loyalty import Allocation, PointsAdjusted, PointsExpired
from till_loyalty.domain.account import Account
from till_loyalty.domain.errors import NotEnoughPoints
from till_loyalty.domain.lots import in_order_of_spending, take
from till_loyalty.domain.programme import Programme
from till_platform.domain import Invalid

_MOST = 1_000_000_000


def adjust(
    account: Account,
    programme: Programme,
    *,
    adjustment_id: str,
    points: int,
    reason: str,
    at: datetime,
    comment: str | None = None,
) -> None:
    """Correct a balance by hand. Points given form a lot that is spendable at once and lives as long as earned points do.

    Points taken come from what expires first, those not yet spendable last; never more than there are (`NotEnoughPoints`). The same
    `adjustment_id` again changes nothing. Raises `Invalid` without points or a reason.
    """
    if adjustment_id in account.adjustments:
        return
    if not points or abs(points) > _MOST:
        raise Invalid("a correction gives or takes points", field="points")
    if not reason.strip():
        raise Invalid("a correction has a reason", field="reason")
    rules = programme.rules_at(at)
    account.record(
        PointsAdjusted(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=account.customer_id,
            adjustment_id=adjustment_id,
            points=points,
            allocations=(
                (Allocation(lot_id=adjustment_id, points=points),) if points > 0 else _taken(account, -points, at)
            ),
            reason=reason,
            comment=comment,
            available_from=at if points > 0 else None,
            expires_at=rules.expires_at(rules.local_day(at)) if points > 0 else None,
        )
    )


def expire(account: Account, *, at: datetime, most: int = 500) -> None:
    """Announce the points that ran out of time, oldest first, at most so many lots in one go.

    Points a till holds at that moment were put aside in time: they are announced when the hold ends without paying.
    """
    overdue = in_order_of_spending(lot for lot in account.lots.values() if lot.remaining and lot.is_expired(at))
    for lot_id, points in account.free(overdue[:most], at):
        if points:
            account.record(
                PointsExpired(
                    occurred_at=account.lots[lot_id].expires_at,
                    account_id=account.account_id,
                    customer_id=account.customer_id,
                    lot_id=lot_id,
                    points=points,
                    expires_at=account.lots[lot_id].expires_at,
                )
            )


def _taken(account: Account, points: int, at: datetime) -> tuple[Allocation, ...]:
    alive = in_order_of_spending(lot for lot in account.lots.values() if not lot.is_expired(at))
    free = account.free(sorted(alive, key=lambda lot: lot.is_pending(at)), at)
    if (available := sum(part for _, part in free)) < points:
        raise NotEnoughPoints(
            f"{available} points are there, {points} were to be taken", asked=points, available=available
        )
    return take(points, free)
