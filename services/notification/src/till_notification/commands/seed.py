"""What a new chain starts with: words in English, Russian and Polish, and rules that send them."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from till_notification.domain.happening import shared_variables
from till_notification.domain.rule_book import Rule, RuleBook
from till_notification.domain.template import CHANNELS, Template
from till_platform.eventstore.log import Log

_DAY = 24 * 60
# Words that are of use the next morning outlast the night: a message of 21:00 goes at 9:00, twelve hours later.
_UNTIL_NEXT_DAY = 14 * 60


@dataclass(frozen=True, kw_only=True)
class DefaultTemplate:
    """One of the wordings a chain starts with."""

    template_id: str
    channel: str
    locale: str
    text: str
    subject: str | None

    @property
    def identity(self) -> str:
        return Template.identity_of(self.template_id, self.channel, self.locale)


def default_templates() -> list[DefaultTemplate]:
    """Return the wordings of `default_templates.toml`."""
    written = tomllib.loads((files(__package__) / "default_templates.toml").read_text(encoding="utf-8"))
    return [
        DefaultTemplate(
            template_id=template_id,
            channel=channel,
            locale=locale,
            text=wording[channel].strip(),
            subject=wording["subject"] if channel == "email" else None,
        )
        for template_id, languages in written.items()
        for locale, wording in languages.items()
        for channel in CHANNELS
    ]


def default_rules() -> list[Rule]:
    """Return the rules. Statuses name phases, so they serve every chain's own statuses.

    The courier and a cancellation do not wait for morning.
    """
    both = ("sms", "email")

    def about_order(phase: str, minutes: int, *, urgent: bool = False) -> Rule:
        return Rule(
            rule_id=f"order-{phase}",
            on="OrderStatusChanged",
            status=phase,
            template_id=f"order_{phase}",
            channels=both,
            purpose="transactional",
            stale_after_minutes=minutes,
            urgent=urgent,
        )

    return [
        about_order("approval", _UNTIL_NEXT_DAY),
        about_order("assembly", _UNTIL_NEXT_DAY),
        about_order("delivery", 2 * 60, urgent=True),
        about_order("completed", _DAY),
        about_order("cancelled", _DAY, urgent=True),
        about_order("returned", 2 * _DAY),
        Rule(
            rule_id="welcome",
            on="CustomerRegistered",
            template_id="welcome",
            channels=both,
            purpose="loyalty",
            stale_after_minutes=_DAY,
        ),
        Rule(
            rule_id="tier-changed",
            on="TierChanged",
            template_id="tier_changed",
            channels=both,
            purpose="loyalty",
            stale_after_minutes=_DAY,
        ),
    ]


async def seed(log: Log) -> None:
    """Publish what is missing. What a chain has published itself, or switched off, stays as it is."""
    now = datetime.now(UTC)
    book = await log.find(RuleBook, RuleBook.IDENTITY)
    for rule in default_rules():
        if rule.rule_id not in book.rules:
            book.publish(rule, at=now)
    defaults = {default.identity: default for default in default_templates()}
    templates = await log.load_many(Template, defaults)
    for identity, default in defaults.items():
        if not templates[identity].exists:
            templates[identity].publish(
                template_id=default.template_id,
                channel=default.channel,
                locale=default.locale,
                text=default.text,
                subject=default.subject,
                variables=shared_variables(book.happenings_with(default.template_id)),
                at=now,
            )
    await log.save(*templates.values(), book)
