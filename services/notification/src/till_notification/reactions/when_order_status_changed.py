from collections.abc import Iterable
from typing import Any

from till_events.order import OrderStatusChanged
from till_notification.domain.rule_book import RuleBook
from till_notification.reactions.asking import ask_for_messages
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted


class WhenOrderStatusChanged(Reaction):
    """An order moved on: tell its customer, by the rules for the status or the phase it reached. An order of nobody tells nobody."""

    name = "when_order_status_changed"
    of = (OrderStatusChanged,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        return [(RuleBook, RuleBook.IDENTITY)] if fact.event.customer_id else []

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        event: OrderStatusChanged = fact.event
        if event.customer_id is None:
            return
        book = unit.get(RuleBook, RuleBook.IDENTITY)
        ask_for_messages(
            unit,
            fact,
            book.on_status(event.to_status, to_phase=event.to_phase, from_phase=event.from_phase),
            customer_id=event.customer_id,
            values={"number": event.number},
            order_id=event.order_id,
            store_id=event.store_id,
            promised_from=event.promised_from,
            promised_to=event.promised_to,
        )
