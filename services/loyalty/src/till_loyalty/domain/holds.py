"""Points put aside at a till while a sale goes through."""

from datetime import datetime
from typing import Literal

from till_events.ids import OrderId, PurchaseId, StoreId
from till_events.loyalty import Allocation, PointsHeld, PointsRedeemed, PointsRestored

State = Literal["held", "captured", "released"]


class Hold:
    """Points that one till may spend and nobody else, for a limited time.

    Once captured it remembers the sale it paid for, so that the points find their way back if the sale is undone: `given_back` counts
    those that have, `returns` names what brought them back.
    """

    __slots__ = (
        "allocations",
        "currency",
        "expires_at",
        "given_back",
        "id",
        "order_id",
        "points",
        "purchase_id",
        "returns",
        "state",
        "store_id",
        "value_minor",
    )

    def __init__(self, event: PointsHeld) -> None:
        self.id = event.hold_id
        self.points = event.points
        self.allocations = event.allocations
        self.value_minor = event.value_minor
        self.currency = event.currency
        self.store_id: StoreId = event.store_id
        self.expires_at = event.expires_at
        self.state: State = "held"
        self.order_id: OrderId | None = event.order_id
        self.purchase_id: PurchaseId | None = None
        self.given_back = 0
        self.returns: set[str] = set()

    def is_active(self, at: datetime) -> bool:
        return self.state == "held" and at < self.expires_at

    def in_lot(self, lot_id: str) -> int:
        return sum(allocation.points for allocation in self.allocations if allocation.lot_id == lot_id)

    @property
    def to_give_back(self) -> list[Allocation]:
        """What was spent and not given back, the last taken first: a smaller redemption would not have touched it."""
        back = self.given_back
        rest: list[Allocation] = []
        for allocation in reversed(self.allocations):
            done = min(back, allocation.points)
            back -= done
            if allocation.points > done:
                rest.append(Allocation(lot_id=allocation.lot_id, points=allocation.points - done))
        return rest

    def capture(self, event: PointsRedeemed) -> None:
        self.state = "captured"
        self.purchase_id = event.purchase_id
        self.order_id = event.order_id or self.order_id

    def release(self) -> None:
        self.state = "released"

    def restore(self, event: PointsRestored) -> None:
        self.given_back += event.points
        if event.return_id:
            self.returns.add(event.return_id)
