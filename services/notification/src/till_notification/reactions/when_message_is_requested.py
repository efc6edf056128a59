from typing import Any

from till_events.notification import MessageRequested
from till_notification.domain.happening import PERSONAL
from till_notification.reactions.asking import ask_to_send
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit


class WhenMessageIsRequested(Reaction):
    """Somebody of the staff wrote to a customer: hand it to the sender. Messages that rules asked for were handed over there and then."""

    name = "when_message_is_requested"
    of = (MessageRequested,)

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        if fact.event.trigger_type == PERSONAL:
            ask_to_send(unit, fact.event.message_id)
