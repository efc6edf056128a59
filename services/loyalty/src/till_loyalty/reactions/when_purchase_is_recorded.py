from collections.abc import Iterable
from typing import Any

from till_events.order import PurchaseRecorded
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card, numbers_for
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.programme import MAIN, Programme, account_of
from till_loyalty.domain.purchases import CreditedPurchase
from till_loyalty.reactions.welcome import welcome
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted


class WhenPurchaseIsRecorded(Reaction):
    """A purchase earns points for its customer; one that names only a card, for the card's account, unless it was blocked by then.

    A customer whose registration has not come through yet gets account and card now. A purchase of nobody we know earns nothing.
    """

    name = "when_purchase_is_recorded"
    of = (PurchaseRecorded,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        purchase: PurchaseRecorded = fact.event
        yield Programme, MAIN
        if purchase.customer_id:
            yield Account, account_of(purchase.customer_id)
        elif purchase.card_number:
            yield Card, purchase.card_number

    def also_wants(self, fact: Fact[Any], unit: Unit) -> Iterable[Wanted]:
        purchase: PurchaseRecorded = fact.event
        if purchase.customer_id:
            account = account_of(purchase.customer_id)
            if not unit.get(Account, account).exists:
                yield Card, next(numbers_for(account))
        elif purchase.card_number and (owner := unit.get(Card, purchase.card_number).account_id):
            yield Account, owner
            yield CreditedPurchase, purchase.purchase_id

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        purchase: PurchaseRecorded = fact.event
        if purchase.customer_id:
            account = unit.get(Account, account_of(purchase.customer_id))
            if not account.exists:
                welcome(unit, account, purchase.customer_id, at=purchase.occurred_at)
        elif purchase.card_number and (owner := unit.get(Card, purchase.card_number).account_id):
            account = unit.get(Account, owner)
            if not account.opens_with(purchase.card_number, purchase.occurred_at):
                return
            unit.get(CreditedPurchase, purchase.purchase_id).credit(owner, at=purchase.occurred_at)
        else:
            return
        accrue(account, purchase, unit.get(Programme, MAIN))
