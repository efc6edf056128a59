from collections.abc import Iterable
from typing import Any

from till_events.customer import CustomerRegistered
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card, is_card_number, numbers_for
from till_loyalty.domain.programme import MAIN, Programme, account_of
from till_loyalty.reactions.welcome import welcome
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted


class WhenCustomerIsRegistered(Reaction):
    """Whoever registers gets an account and a card, from the moment of registering."""

    name = "when_customer_is_registered"
    of = (CustomerRegistered,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        account = account_of(fact.event.customer_id)
        yield Programme, MAIN
        yield Account, account
        for number in filter(is_card_number, fact.event.card_numbers):
            yield Card, number
        yield Card, next(numbers_for(account))

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        registered: CustomerRegistered = fact.event
        account = unit.get(Account, account_of(registered.customer_id))
        welcome(unit, account, registered.customer_id, at=registered.occurred_at, cards=registered.card_numbers)
