"""One message to one customer, from the moment it is wanted to what became of it."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from till_events.base import Event
from till_events.notification import (
    MessageDeferred,
    MessageFailed,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
    SuppressionReason,
)
from till_notification.domain.template import Words
from till_platform.domain import Aggregate, DomainError

State = Literal["unknown", "requested", "deferred", "sent", "suppressed", "failed"]

TOLD_LATE = timedelta(hours=1)
"""What the chain itself learnt later than this after it had happened is history: a list brought in, a till that was offline."""


class AlreadySettled(DomainError):
    """What became of a message is final: a sent one cannot be suppressed, a suppressed one cannot be sent."""

    code = "message-settled"


class Message(Aggregate):
    """A message that a happening caused: at most one per happening, customer, template and channel, for its id is made of these."""

    kind: ClassVar[str] = "message"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.state: State = "unknown"
        self.wanted: MessageRequested | None = None
        self.deferred_until: datetime | None = None

    @property
    def settled(self) -> bool:
        """Whether it is final what became of the message."""
        return self.state in ("sent", "suppressed", "failed")

    @property
    def request_made(self) -> MessageRequested:
        """What was asked for; there is a message only if something was."""
        assert self.wanted is not None, f"{self.id} was never requested"
        return self.wanted

    def request(self, wanted: MessageRequested) -> bool:
        """Want the message. Returns whether that is new: the same wish again changes nothing."""
        if self.exists:
            return False
        self.record(wanted)
        return True

    def suppress(self, reason: SuppressionReason, *, at: datetime) -> None:
        """Do not send it, for a reason that is kept."""
        self._settle()
        self.record(MessageSuppressed(occurred_at=at, reason=reason, **self._about()))

    def defer(self, until: datetime, *, at: datetime) -> None:
        """Let it wait until morning. Recorded once per morning, however often it is looked at during the night."""
        self._settle()
        if self.deferred_until != until:
            wanted = self.request_made
            self.record(
                MessageDeferred(
                    occurred_at=at, message_id=wanted.message_id, customer_id=wanted.customer_id, until=until
                )
            )

    def sent(
        self,
        words: Words,
        *,
        address: str,
        consent_event_id: str,
        template_version: int,
        locale: str,
        provider_message_id: str | None,
        at: datetime,
    ) -> None:
        """Keep that it went out, with its words, its address and the consent it relied on."""
        self._settle()
        self.record(
            MessageSent(
                occurred_at=at,
                template_version=template_version,
                locale=locale,
                address=address,
                text=words.text,
                subject=words.subject,
                consent_event_id=consent_event_id,
                provider_message_id=provider_message_id,
                **self._about(),
            )
        )

    def fail(self, error: str, *, attempts: int, at: datetime) -> None:
        """Give it up: the provider will not take it. `error` is a code, never the provider's own words: those name addresses."""
        self._settle()
        self.record(MessageFailed(occurred_at=at, error=error, attempts=attempts, **self._about()))

    def apply(self, event: Event) -> None:
        match event:
            case MessageRequested():
                self.state = "requested"
                self.wanted = event
            case MessageDeferred():
                self.state = "deferred"
                self.deferred_until = event.until
            case MessageSuppressed():
                self.state = "suppressed"
            case MessageSent():
                self.state = "sent"
            case MessageFailed():
                self.state = "failed"

    def _settle(self) -> None:
        if self.settled:
            raise AlreadySettled(f"this message is {self.state}", state=self.state)

    def _about(self) -> dict[str, Any]:
        wanted = self.request_made
        return {
            "message_id": wanted.message_id,
            "customer_id": wanted.customer_id,
            "channel": wanted.channel,
            "purpose": wanted.purpose,
            "template_id": wanted.template_id,
            "order_id": wanted.order_id,
        }


def is_history(*, occurred_at: datetime, recorded_at: datetime, not_after: datetime, now: datetime) -> bool:
    """Tell whether a happening is too old to write about: past its message's use, or past when the chain itself learnt of it."""
    return now > not_after or recorded_at - occurred_at > TOLD_LATE
