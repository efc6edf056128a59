"""Points come and go in lots: what one purchase earned, with a day it becomes spendable and a day it dies."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from till_events.loyalty import Allocation

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The expiry of a lot that has none: spent last."""


class Lot:
    """Points that live and die together.

    `remaining` is what was not yet spent, taken back or expired; points a till holds are still in it. `purchase_minor` is what the
    purchase counted as spending, `returned_minor` how much of that went back, `reversed` the points that had to go back with it.
    """

    __slots__ = (
        "available_from",
        "earned_at",
        "expired",
        "expires_at",
        "id",
        "points",
        "purchase_minor",
        "remaining",
        "returned_minor",
        "reversed",
    )

    def __init__(
        self,
        lot_id: str,
        points: int,
        *,
        earned_at: datetime,
        available_from: datetime,
        expires_at: datetime | None,
        purchase_minor: int = 0,
    ) -> None:
        self.id = lot_id
        self.points = points
        self.remaining = points
        self.earned_at = earned_at
        self.available_from = _one_of_its_kind(available_from)
        self.expires_at = _one_of_its_kind(expires_at or NEVER)
        self.purchase_minor = purchase_minor
        self.returned_minor = 0
        self.reversed = 0
        self.expired = 0

    def is_pending(self, at: datetime) -> bool:
        return at < self.available_from

    def is_expired(self, at: datetime) -> bool:
        return self.expires_at <= at

    def is_spendable(self, at: datetime) -> bool:
        return self.available_from <= at < self.expires_at

    def to_take_back(self, at: datetime, returning_minor: int) -> int:
        """Return the points that must go back when goods for this much money do, rounded so that a full return takes back them all.

        Points of this lot that expired unused are gone already: nobody has to give them back again.
        """
        returned = self.returned_minor + returning_minor
        share = self.points if returned >= self.purchase_minor else self.points * returned // self.purchase_minor
        expired = self.expired + (self.remaining if self.is_expired(at) else 0)
        return max(0, min(share, self.points - expired) - self.reversed)


@lru_cache(maxsize=4096)
def _one_of_its_kind(moment: datetime) -> datetime:
    """Return the one object that stands for a time: lots mostly begin and end with days, and a worker has tens of thousands at hand."""
    return moment


def in_order_of_spending(lots: Iterable[Lot]) -> list[Lot]:
    """Sort lots as points are spent: what expires first goes first, of equals the oldest."""
    return sorted(lots, key=lambda lot: (lot.expires_at, lot.earned_at, lot.id))


def take(points: int, free: Iterable[tuple[str, int]]) -> tuple[Allocation, ...]:
    """Take up to `points` from lots in the order given, each with the points that are free in it."""
    taken: list[Allocation] = []
    for lot_id, available in free:
        part = min(points, available)
        if part > 0:
            taken.append(Allocation(lot_id=lot_id, points=part))
            points -= part
        if not points:
            break
    return tuple(taken)


def total(allocations: Iterable[Allocation]) -> int:
    """Return how many points the allocations move."""
    return sum(allocation.points for allocation in allocations)
