"""The words of a message for one channel in one language, kept in all their versions."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from till_events.base import Event
from till_events.notification import TemplatePublished
from till_notification.domain.happening import SAMPLES
from till_notification.domain.language import checked_locale
from till_notification.domain.wording import UnsuitableWording, check_wording, fill_in, named_in
from till_platform.domain import Aggregate, Invalid

CHANNELS = ("sms", "email")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
LONGEST_TEXT: Mapping[str, int] = {"sms": 670, "email": 20_000}
"""In characters: ten parts of an SMS in any script; a long letter."""
LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Words:
    """A message as the customer reads it."""

    text: str
    subject: str | None = None


def checked_id(chosen: str, *, field: str) -> str:
    """Return the id somebody chose for a template or a rule; raise `Invalid` unless it can stand in an address."""
    if not _ID.fullmatch(chosen):
        raise Invalid("an id is of up to 64 letters, digits, - and _", field=field)
    return chosen


class Template(Aggregate):
    """One wording: a template's text for one channel and one language. The newest version is the one that is sent."""

    kind: ClassVar[str] = "template"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.newest: TemplatePublished | None = None

    @staticmethod
    def identity_of(template_id: str, channel: str, locale: str) -> str:
        return f"{template_id}.{channel}.{locale}"

    def publish(
        self,
        *,
        template_id: str,
        channel: str,
        locale: str,
        text: str,
        subject: str | None,
        variables: AbstractSet[str],
        at: datetime,
    ) -> None:
        """Use these words from now on. The same words again change nothing.

        `variables` are the names the words may use. Raises `UnsuitableWording`, or `Invalid` for an id, a channel or a language that is
        none.
        """
        checked_id(template_id, field="template_id")
        if channel not in CHANNELS:
            raise Invalid("templates are for sms and email", field="channel")
        samples = {name: sample for name, sample in SAMPLES.items() if name in variables}
        check_wording(text, field="text", variables=variables, samples=samples, longest=LONGEST_TEXT[channel])
        self._check_subject(channel, subject, variables, samples)
        if self.newest and (self.newest.text, self.newest.subject) == (text, subject):
            return
        self.record(
            TemplatePublished(
                occurred_at=at,
                template_id=template_id,
                version=self.newest.version + 1 if self.newest else 1,
                channel=channel,
                locale=checked_locale(locale),
                text=text,
                subject=subject,
            )
        )

    def _check_subject(
        self, channel: str, subject: str | None, variables: AbstractSet[str], samples: Mapping[str, str]
    ) -> None:
        if (subject is not None) != (channel == "email"):
            raise UnsuitableWording("an e-mail has a subject, an SMS has none", field="subject")
        if subject is None:
            return
        if "\n" in subject or "\r" in subject:
            raise UnsuitableWording("a subject is one line", field="subject")
        check_wording(subject, field="subject", variables=variables, samples=samples, longest=LONGEST_SUBJECT)

    def named(self) -> set[str]:
        """Return the variables the newest words name."""
        if self.newest is None:
            return set()
        return named_in(self.newest.text) | named_in(self.newest.subject or "")

    def apply(self, event: Event) -> None:
        match event:
            case TemplatePublished():
                self.newest = event


def fill_in_words(template: TemplatePublished, values: Mapping[str, str]) -> Words:
    """Return the template's words for one customer; raise `UnsayableWording` when they name what is not told."""
    subject = fill_in(template.subject, values) if template.subject is not None else None
    return Words(text=fill_in(template.text, values), subject=subject)
