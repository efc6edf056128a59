"""Finding the words for a message, and making sure beforehand that there are some."""

from collections.abc import Sequence

from till_events.notification import TemplatePublished
from till_notification.domain.happening import VARIABLES
from till_notification.domain.language import DEFAULT_LANGUAGE, fallbacks
from till_notification.domain.template import Template
from till_notification.domain.wording import UnsuitableWording
from till_platform.domain import Invalid
from till_platform.eventstore.log import Log


class NoWords(Invalid):
    """A template has no words in the language that stands in for all others."""

    code = "no-words"


async def words_for(log: Log, template_id: str, channel: str, locale: str) -> TemplatePublished | None:
    """Return the newest words for a customer's language, else for the same without its region, else in English; None if there are none."""
    identities = [Template.identity_of(template_id, channel, language) for language in fallbacks(locale)]
    found = await log.load_many(Template, identities)
    return next((found[identity].newest for identity in identities if found[identity].newest), None)


async def must_suit(log: Log, template_id: str, channels: Sequence[str], *, happening: str) -> None:
    """Refuse a template that lacks words for one of the channels, or whose words name what the happening does not tell."""
    wordings = {channel: Template.identity_of(template_id, channel, DEFAULT_LANGUAGE) for channel in channels}
    found = await log.load_many(Template, wordings.values())
    for channel, identity in wordings.items():
        template = found[identity]
        if not template.exists:
            raise NoWords(
                f"template {template_id} has no words for {channel} in English", field="template_id", channel=channel
            )
        if untold := template.named() - VARIABLES[happening]:
            raise UnsuitableWording(
                f"template {template_id} names what is not told then: {', '.join(sorted(untold))}",
                field="template_id",
                known=sorted(VARIABLES[happening]),
            )
