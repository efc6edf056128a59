from collections.abc import Sequence
from typing import Any

from till_events.notification import NotificationRulePublished
from till_events.order import OrderStatusChanged
from till_notification.domain.rule_book import RuleBook
from till_notification.reactions.asking import AsksForMessages, News
from till_platform.batch import Fact


class WhenOrderStatusChanged(AsksForMessages):
    """An order moved on: tell its customer, by the rules for the status or the phase it reached. An order of nobody tells nobody."""

    name = "when_order_status_changed"
    of = (OrderStatusChanged,)

    def news(self, fact: Fact[Any]) -> News | None:
        event: OrderStatusChanged = fact.event
        if event.customer_id is None:
            return None
        return News(
            customer_id=event.customer_id,
            values={"number": event.number},
            order_id=event.order_id,
            store_id=event.store_id,
            promised_from=event.promised_from,
            promised_to=event.promised_to,
        )

    def rules(self, fact: Fact[Any], book: RuleBook) -> Sequence[NotificationRulePublished]:
        event: OrderStatusChanged = fact.event
        return book.on_status(event.to_status, to_phase=event.to_phase, from_phase=event.from_phase)
