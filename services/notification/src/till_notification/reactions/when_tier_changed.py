from collections.abc import Iterable
from typing import Any

from till_events.loyalty import TierChanged
from till_notification.domain.rule_book import RuleBook
from till_notification.reactions.asking import ask_for_messages
from till_platform.batch import Fact
from till_platform.reactions.reaction import Reaction, Unit, Wanted


class WhenTierChanged(Reaction):
    """A customer reached another level of the programme: say so."""

    name = "when_tier_changed"
    of = (TierChanged,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:  # noqa: ARG002 - the book is the same for all
        return [(RuleBook, RuleBook.IDENTITY)]

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        event: TierChanged = fact.event
        ask_for_messages(
            unit,
            fact,
            unit.get(RuleBook, RuleBook.IDENTITY).on("TierChanged"),
            customer_id=event.customer_id,
            values={"tier": event.to_tier, "from_tier": event.from_tier},
        )
