"""Whom a message goes to, as known at the moment of sending."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """A customer as messages see one: addresses, language, zone, and what was agreed to.

    `consents` holds only those that stand, by (purpose, channel, address), with the id of the event that gave them.
    """

    customer_id: str
    name: str = ""
    phones: Sequence[str] = ()
    emails: Sequence[str] = ()
    locale: str = "en"
    zone_name: str = "UTC"
    consents: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def addresses(self, channel: str) -> Sequence[str]:
        """Return where the customer can be reached by a channel, the preferred address first."""
        return {"sms": self.phones, "email": self.emails}.get(channel, ())

    @property
    def zone(self) -> tzinfo:
        """The zone in which the customer sleeps; UTC when nobody knows it."""
        try:
            return ZoneInfo(self.zone_name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC
