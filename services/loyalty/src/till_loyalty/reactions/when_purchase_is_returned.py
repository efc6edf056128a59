from collections.abc import Iterable
from typing import Any

from till_events.order import PurchaseReturned
from till_loyalty.domain.account import Account
from till_loyalty.domain.programme import MAIN, Programme, account_of
from till_loyalty.domain.purchases import CreditedPurchase
from till_loyalty.domain.returning import settle_return
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted


class WhenPurchaseIsReturned(Reaction):
    """Goods that go back take their points with them, and bring back the points that paid for them."""

    name = "when_purchase_is_returned"
    of = (PurchaseReturned,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        returned: PurchaseReturned = fact.event
        yield Programme, MAIN
        if returned.customer_id:
            yield Account, account_of(returned.customer_id)
        elif returned.purchase_id:
            yield CreditedPurchase, returned.purchase_id

    def also_wants(self, fact: Fact[Any], unit: Unit) -> Iterable[Wanted]:
        returned: PurchaseReturned = fact.event
        if returned.purchase_id and not returned.customer_id:
            owner = unit.get(CreditedPurchase, returned.purchase_id).account_id
            if owner:
                yield Account, owner

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        returned: PurchaseReturned = fact.event
        if returned.customer_id:
            account = unit.get(Account, account_of(returned.customer_id))
        elif returned.purchase_id and (owner := unit.get(CreditedPurchase, returned.purchase_id).account_id):
            account = unit.get(Account, owner)
        else:
            return
        if account.exists:
            settle_return(account, returned, unit.get(Programme, MAIN))
