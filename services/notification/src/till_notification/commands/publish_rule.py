from dataclasses import dataclass
from datetime import datetime

from till_notification.commands.wordings import must_suit
from till_notification.domain.rule_book import Rule, RuleBook
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class PublishRule:
    """Send by this rule from now on."""

    rule: Rule
    at: datetime


async def publish_rule(command: PublishRule, log: Log) -> RuleBook:
    """Write the rule into the book; raise `NoWords` or `UnsuitableWording` when its template cannot tell what it is about."""
    rule = command.rule
    book = await log.find(RuleBook, RuleBook.IDENTITY)
    book.publish(rule, at=command.at)
    if rule.enabled:
        await must_suit(log, rule.template_id, rule.channels, happening=rule.on)
    await log.save(book)
    return book
