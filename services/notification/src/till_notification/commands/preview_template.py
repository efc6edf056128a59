from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from till_events.notification import TemplatePublished
from till_notification.domain.happening import ALL_VARIABLES, SAMPLES, VARIABLES, checked_happening
from till_notification.domain.promise import promise_in_words
from till_notification.domain.template import Template, Words, fill_in_words


@dataclass(frozen=True, kw_only=True)
class PreviewTemplate:
    """Words somebody is working on, the happening they are for, and values to see them with."""

    channel: str
    locale: str
    text: str
    subject: str | None
    on: str | None
    values: Mapping[str, str]
    at: datetime


def preview_template(command: PreviewTemplate) -> Words:
    """Return the words filled in, refusing whatever publishing would refuse. The sample promise is the next hour."""
    draft = Template(Template.stream("draft"))
    draft.publish(
        template_id="draft",
        channel=command.channel,
        locale=command.locale,
        text=command.text,
        subject=command.subject,
        variables=VARIABLES[checked_happening(command.on)] if command.on is not None else ALL_VARIABLES,
        at=command.at,
    )
    assert isinstance(draft.newest, TemplatePublished)
    hour = promise_in_words(None, command.at + timedelta(hours=1), now=command.at, zone=UTC, locale=draft.newest.locale)
    return fill_in_words(draft.newest, {**SAMPLES, "promised": hour, **command.values})
