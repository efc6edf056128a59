from collections.abc import Sequence
from typing import Any

from till_events.loyalty import TierChanged
from till_events.notification import NotificationRulePublished
from till_notification.domain.rule_book import RuleBook
from till_notification.reactions.asking import AsksForMessages, News
from till_platform.batch import Fact


class WhenTierChanged(AsksForMessages):
    """A customer reached another level of the programme: say so."""

    name = "when_tier_changed"
    of = (TierChanged,)

    def news(self, fact: Fact[Any]) -> News:
        event: TierChanged = fact.event
        return News(customer_id=event.customer_id, values={"tier": event.to_tier, "from_tier": event.from_tier})

    def rules(self, fact: Fact[Any], book: RuleBook) -> Sequence[NotificationRulePublished]:  # noqa: ARG002 - all tiers alike
        return book.on("TierChanged")
