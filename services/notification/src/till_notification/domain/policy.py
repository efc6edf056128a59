"""Whether a message may go now: the one place where that is decided, at the moment of sending and never before."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Protocol

from till_events.notification import SuppressionReason
from till_notification.domain.recipient import Recipient


@dataclass(frozen=True, slots=True)
class Send:
    """The message may go, to this address, by the consent that this event gave."""

    address: str
    consent_event_id: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: the customer sleeps."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Suppress:
    """Not at all, and why."""

    reason: SuppressionReason


Decision = Send | Defer | Suppress


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The night, by the clock on the customer's wall. `starts` belongs to it, `ends` does not; both alike means there is none."""

    starts: time = time(21)
    ends: time = time(9)

    def cover(self, moment: datetime, zone: tzinfo) -> bool:
        """Tell whether it is night in `zone` at `moment`."""
        clock = moment.astimezone(zone).time()
        if self.starts <= self.ends:
            return self.starts <= clock < self.ends
        return clock >= self.starts or clock < self.ends

    def morning_after(self, moment: datetime, zone: tzinfo) -> datetime:
        """Return the next end of the night in `zone` after `moment`, in UTC. A night in which clocks are moved is shorter or longer."""
        here = moment.astimezone(zone)
        for days in range(3):
            morning = datetime.combine(here.date() + timedelta(days=days), self.ends, tzinfo=zone).astimezone(UTC)
            if morning > moment:
                return morning
        raise AssertionError("every zone has a morning within two days")


class Intended(Protocol):
    """What must be known of a message to decide about it."""

    @property
    def purpose(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def not_after(self) -> datetime: ...
    @property
    def urgent(self) -> bool: ...


def decide(
    message: Intended, recipient: Recipient, *, now: datetime, quiet: QuietHours, overtaken: bool = False
) -> Decision:
    """Decide what becomes of a message now. `overtaken` tells that while it waited for the morning its order moved on.

    In this order: too late or overtaken → stale; nobody agreed to this purpose on this channel → no_consent (messages about orders need
    it, too: a customer decides what a shop may write); the address agreed to is no longer one of the customer's → no_address; night → wait
    until morning, unless it is urgent; and what would be stale by morning is stale now.
    """
    if overtaken or now > message.not_after:
        return Suppress("stale")
    agreed = {
        address: event_id
        for (purpose, channel, address), event_id in recipient.consents.items()
        if (purpose, channel) == (message.purpose, message.channel)
    }
    if not agreed:
        return Suppress("no_consent")
    address = next((known for known in recipient.addresses(message.channel) if known in agreed), None)
    if address is None:
        return Suppress("no_address")
    if not message.urgent and quiet.cover(now, recipient.zone):
        morning = quiet.morning_after(now, recipient.zone)
        return Suppress("stale") if morning > message.not_after else Defer(morning)
    return Send(address, agreed[address])
