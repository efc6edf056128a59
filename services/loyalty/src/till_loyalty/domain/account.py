"""A customer's points: what was earned, put aside, spent, taken back and lost, lot by lot."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from till_events.base import Event
from till_events.ids import AccountId, CustomerId
from till_events.loyalty import (
    Allocation,
    LoyaltyAccountOpened,
    LoyaltyCardBlocked,
    LoyaltyCardIssued,
    PointsAccrued,
    PointsAdjusted,
    PointsExpired,
    PointsHeld,
    PointsHoldReleased,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
    ReturnWithoutPoints,
    TierChanged,
)
from till_loyalty.domain.holds import Hold
from till_loyalty.domain.lots import Lot
from till_loyalty.domain.spending import Spending
from till_platform.domain import Aggregate

_THE_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Account(Aggregate):
    """The points of one customer in one programme. Decisions about it live beside it: earning, returning, redeeming, correcting, tiers.

    What can be spent at a time is a function of that time: lots that are pending or expired then do not count, and a hold whose time
    is over holds nothing, whether or not anybody announced it yet.
    """

    kind = "account"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.customer_id = CustomerId("")
        self.programme_id = ""
        self.cards: dict[str, datetime | None] = {}
        self.lots: dict[str, Lot] = {}
        self.holds: dict[str, Hold] = {}
        self.spending = Spending()
        self.returns: set[str] = set()
        self.adjustments: set[str] = set()
        self.early_returns: dict[str, list[tuple[str, int]]] = {}
        self.debts: dict[str, tuple[str, int]] = {}
        self.latest: datetime | None = None
        self._tiers: list[tuple[datetime, str]] = []

    @property
    def account_id(self) -> AccountId:
        return AccountId(self.identity)

    def opens_with(self, card_number: str, at: datetime) -> bool:
        """Tell whether this card opened the account at a time."""
        blocked_at = self.cards[card_number]
        return blocked_at is None or at < blocked_at

    @property
    def tier(self) -> str:
        """The level the customer is on, as last announced."""
        return self._tiers[-1][1]

    def tier_at(self, at: datetime) -> str:
        """Return the level the customer was on at a time; before the account was opened, the one it was opened with."""
        last, tier = self._tiers[-1]
        if at >= last:
            return tier
        place = bisect_right(self._tiers, at, key=lambda change: change[0])
        return self._tiers[max(0, place - 1)][1]

    def free(self, lots: Iterable[Lot], at: datetime) -> list[tuple[str, int]]:
        """Return the lots, order kept, with the points in them that no till has put aside.

        A hold that a job has not announced as over yet still counts for something that happened before it ended, so that points on
        their way to pay for a sale are never taken from under it.
        """
        active = [hold for hold in self.holds.values() if hold.is_active(at)]
        if not active:
            return [(lot.id, lot.remaining) for lot in lots if lot.remaining]
        return [
            (lot.id, max(0, lot.remaining - sum(hold.in_lot(lot.id) for hold in active)))
            for lot in lots
            if lot.remaining
        ]

    def balance_at(self, at: datetime) -> int:
        """Return how many points can be spent at a time, by all that is known now."""
        return sum(points for _, points in self.free((lot for lot in self.lots.values() if lot.is_spendable(at)), at))

    def pending_at(self, at: datetime) -> int:
        """Return how many points are earned and not yet spendable at a time."""
        return sum(lot.remaining for lot in self.lots.values() if lot.is_pending(at))

    def apply(self, event: Event) -> None:
        if (assign := self._FACTS.get(type(event))) is not None:
            assign(self, event)

    def _open(self, event: LoyaltyAccountOpened) -> None:
        self.customer_id, self.programme_id = event.customer_id, event.programme_id
        self._tiers.append((_THE_BEGINNING, event.tier))  # purchases from before the account was known count as well

    def _change_tier(self, event: TierChanged) -> None:
        self._tiers.append((event.occurred_at, event.to_tier))
        self._see(event.occurred_at)

    def _issue_card(self, event: LoyaltyCardIssued) -> None:
        self.cards[event.card_number] = None

    def _block_card(self, event: LoyaltyCardBlocked) -> None:
        self.cards[event.card_number] = event.occurred_at

    def _hold(self, event: PointsHeld) -> None:
        self.holds[event.hold_id] = Hold(event)

    def _redeem(self, event: PointsRedeemed) -> None:
        self._move(event.allocations, -1)
        self.holds[event.hold_id].capture(event)

    def _release(self, event: PointsHoldReleased) -> None:
        self.holds[event.hold_id].release()

    def _restore(self, event: PointsRestored) -> None:
        self._move(event.allocations, +1)
        self.holds[event.hold_id].restore(event)

    def _expire(self, event: PointsExpired) -> None:
        lot = self.lots[event.lot_id]
        lot.remaining -= event.points
        lot.expired += event.points

    def _earn(self, event: PointsAccrued) -> None:
        lot = Lot(
            event.lot_id,
            event.points,
            earned_at=event.occurred_at,
            available_from=event.available_from,
            expires_at=event.expires_at,
            purchase_minor=event.spend_minor,
        )
        lot.returned_minor = sum(spend for _, spend in self.early_returns.pop(event.purchase_id, ()))
        self.lots[event.lot_id] = lot
        self._spend(event.occurred_at, event.spend_minor, seen_at=event.occurred_at)

    def _take_back(self, event: PointsReversed) -> None:
        self._move(event.allocations, -1)
        self.returns.add(event.return_id)
        if event.return_id in self.debts:  # what a return still owed is being collected
            del self.debts[event.return_id]
        else:
            lot = self.lots[event.purchase_id]
            lot.reversed += event.points
            lot.returned_minor += event.spend_minor
            self._spend(lot.earned_at, -event.spend_minor, seen_at=event.occurred_at)
        if event.shortfall and event.policy == "unlimited":
            self.debts[event.return_id] = (event.purchase_id, event.shortfall)

    def _return(self, event: ReturnWithoutPoints) -> None:
        self.returns.add(event.return_id)
        lot = self.lots.get(event.purchase_id) if event.purchase_id else None
        self._spend(lot.earned_at if lot else event.occurred_at, -event.spend_minor, seen_at=event.occurred_at)
        if lot:
            lot.returned_minor += event.spend_minor
        elif event.purchase_id:
            self.early_returns.setdefault(event.purchase_id, []).append((event.return_id, event.spend_minor))

    def _adjust(self, event: PointsAdjusted) -> None:
        self.adjustments.add(event.adjustment_id)
        if event.points < 0:
            self._move(event.allocations, -1)
        else:
            available_from = event.available_from or event.occurred_at
            self.lots[event.adjustment_id] = Lot(
                event.adjustment_id,
                event.points,
                earned_at=event.occurred_at,
                available_from=available_from,
                expires_at=event.expires_at,
            )

    def _move(self, allocations: Iterable[Allocation], sign: int) -> None:
        for allocation in allocations:
            self.lots[allocation.lot_id].remaining += sign * allocation.points

    def _spend(self, at: datetime, amount_minor: int, *, seen_at: datetime) -> None:
        if amount_minor:
            self.spending.add(at, amount_minor)
        self._see(seen_at)

    def _see(self, at: datetime) -> None:
        if self.latest is None or at > self.latest:
            self.latest = at

    _FACTS: ClassVar[dict[type[Event], Callable[[Any, Any], None]]] = {
        LoyaltyAccountOpened: _open,
        LoyaltyCardIssued: _issue_card,
        LoyaltyCardBlocked: _block_card,
        PointsAccrued: _earn,
        PointsReversed: _take_back,
        ReturnWithoutPoints: _return,
        PointsHeld: _hold,
        PointsRedeemed: _redeem,
        PointsHoldReleased: _release,
        PointsRestored: _restore,
        PointsExpired: _expire,
        PointsAdjusted: _adjust,
        TierChanged: _change_tier,
    }
