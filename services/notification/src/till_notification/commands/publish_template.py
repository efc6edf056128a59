from dataclasses import dataclass
from datetime import datetime

from till_notification.domain.happening import shared_variables
from till_notification.domain.language import checked_locale
from till_notification.domain.rule_book import RuleBook
from till_notification.domain.template import Template
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class PublishTemplate:
    """Use these words from now on for one channel in one language."""

    template_id: str
    channel: str
    locale: str
    text: str
    subject: str | None
    at: datetime


async def publish_template(command: PublishTemplate, log: Log) -> Template:
    """Publish the words; raise `UnsuitableWording` when they name what the happenings they are sent on do not tell."""
    book = await log.find(RuleBook, RuleBook.IDENTITY)
    locale = checked_locale(command.locale)
    template = await log.find(Template, Template.identity_of(command.template_id, command.channel, locale))
    template.publish(
        template_id=command.template_id,
        channel=command.channel,
        locale=locale,
        text=command.text,
        subject=command.subject,
        variables=shared_variables(book.happenings_with(command.template_id)),
        at=command.at,
    )
    await log.save(template)
    return template
