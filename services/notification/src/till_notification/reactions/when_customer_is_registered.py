from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from till_events.customer import CustomerRegistered
from till_notification.domain.rule_book import RuleBook
from till_notification.reactions.asking import ask_for_messages
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted

PEN_IN_HAND = timedelta(seconds=15)
"""What a customer ticks on the same form as the name comes a moment later: the welcome waits for it."""


class WhenCustomerIsRegistered(Reaction):
    """Somebody joined: welcome them. Those who came with a list are old acquaintances, not news."""

    name = "when_customer_is_registered"
    of = (CustomerRegistered,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:  # noqa: ARG002 - the book is the same for all
        return [(RuleBook, RuleBook.IDENTITY)]

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        event: CustomerRegistered = fact.event
        ask_for_messages(
            unit,
            fact,
            unit.get(RuleBook, RuleBook.IDENTITY).on("CustomerRegistered"),
            customer_id=event.customer_id,
            values={},
            store_id=event.store_id,
            history=event.acquisition is not None and event.acquisition.source == "import",
            not_before=unit.now + PEN_IN_HAND,
        )
