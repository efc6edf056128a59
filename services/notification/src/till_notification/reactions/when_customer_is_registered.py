from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from till_events.customer import CustomerRegistered
from till_events.notification import NotificationRulePublished
from till_notification.domain.rule_book import RuleBook
from till_notification.reactions.asking import AsksForMessages, News
from till_platform.batch import Fact

PEN_IN_HAND = timedelta(seconds=15)
"""What a customer ticks on the same form as the name comes a moment later: the welcome waits for it."""


class WhenCustomerIsRegistered(AsksForMessages):
    """Somebody joined: welcome them. Those who came with a list are old acquaintances, not news."""

    name = "when_customer_is_registered"
    of = (CustomerRegistered,)

    def news(self, fact: Fact[Any]) -> News:
        event: CustomerRegistered = fact.event
        return News(
            customer_id=event.customer_id,
            store_id=event.store_id,
            history=event.acquisition is not None and event.acquisition.source == "import",
            after=PEN_IN_HAND,
        )

    def rules(self, fact: Fact[Any], book: RuleBook) -> Sequence[NotificationRulePublished]:  # noqa: ARG002 - all alike
        return book.on("CustomerRegistered")
