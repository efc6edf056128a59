"""Purchases that named a card and no customer: which account they went to, so that their returns find it too."""

from datetime import datetime

from till_events.base import Event
from till_events.ids import AccountId, PurchaseId
from till_events.loyalty import PurchaseCredited
from till_platform.domain import Aggregate


class CreditedPurchase(Aggregate):
    """A purchase known by its card alone. Those that name their customer need no such note."""

    kind = "purchase"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.account_id: AccountId | None = None

    def credit(self, account_id: AccountId, *, at: datetime) -> None:
        """Note the account; a repeat changes nothing."""
        if self.account_id is None:
            self.record(PurchaseCredited(occurred_at=at, purchase_id=PurchaseId(self.identity), account_id=account_id))

    def apply(self, event: Event) -> None:
        if isinstance(event, PurchaseCredited):
            self.account_id = event.account_id
