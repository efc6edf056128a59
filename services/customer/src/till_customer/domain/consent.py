"""What customers agreed to. Consent is given per purpose, per channel and per address; everything else follows from its times."""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from till_platform.domain import Invalid

PURPOSES = ("transactional", "marketing", "loyalty", "survey")
CHANNELS = ("sms", "email", "push", "post", "phone")


class ConsentKey(NamedTuple):
    """What a consent is about: to be written to for one purpose, by one channel, at one address."""

    purpose: str
    channel: str
    address: str


class Standing(Struct, frozen=True, kw_only=True):
    """How a consent stands: given or not, since when, and on which wording.

    The latest `since` stands, whatever arrives last. Of two at the same instant a withdrawal stands: in doubt nobody is written to.
    """

    granted: bool
    since: datetime
    wording: str | None = None

    @property
    def rank(self) -> tuple[datetime, bool]:
        return (self.since, not self.granted)


def check_subject(purpose: str, channel: str) -> None:
    """Refuse a purpose or channel nobody knows: a consent under a misspelt name would never be found again."""
    if purpose not in PURPOSES:
        raise Invalid(f"a purpose is one of {', '.join(PURPOSES)}", field="purpose", known=list(PURPOSES))
    if channel not in CHANNELS:
        raise Invalid(f"a channel is one of {', '.join(CHANNELS)}", field="channel", known=list(CHANNELS))
