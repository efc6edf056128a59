"""What the notification service records: templates, rules, and every message with what became of it."""

from typing import Annotated

from till_events.base import Event, Moment, Personal, PersonalText, Whole, known, published
from till_events.customer import MessageChannel, Purpose
from till_events.ids import CustomerId, OrderId, StoreId

SuppressionReason = Annotated[str, known("no_consent", "no_address", "stale", "no_template", "duplicate")]


@published(by="notification")
class TemplatePublished(Event, frozen=True, kw_only=True):
    """The words of a message, for one channel and one language. The newest version is used."""

    template_id: str
    version: Whole
    channel: MessageChannel
    locale: str
    text: str
    subject: str | None = None


@published(by="notification")
class NotificationRulePublished(Event, frozen=True, kw_only=True):
    """The chain decided which happening sends which message.

    `on` names an event (`OrderStatusChanged`) and, for statuses, `status` the one that is reached. A message that could not go out
    within `stale_after_minutes` is worth nothing any more. `urgent` messages go out at night too.
    """

    rule_id: str
    version: Whole
    on: str
    template_id: str
    channels: tuple[MessageChannel, ...]
    purpose: Purpose
    stale_after_minutes: Whole
    urgent: bool = False
    status: str | None = None
    enabled: bool = True


@published(by="notification")
class MessageRequested(Event, frozen=True, kw_only=True):
    """Something happened that a customer should be told. Whether the message may go is decided at the moment of sending."""

    message_id: str
    customer_id: CustomerId
    channel: MessageChannel
    purpose: Purpose
    template_id: str
    rule_id: str
    trigger_event_id: str
    trigger_type: str
    not_after: Moment
    urgent: bool = False
    order_id: OrderId | None = None
    store_id: StoreId | None = None
    promised_from: Moment | None = None
    promised_to: Moment | None = None
    values: Annotated[dict[str, str], Personal] = {}  # noqa: RUF012 - msgspec copies mutable defaults


@published(by="notification")
class MessageDeferred(Event, frozen=True, kw_only=True):
    """It is night where the customer lives: the message waits until morning."""

    message_id: str
    customer_id: CustomerId
    until: Moment


@published(by="notification")
class MessageSuppressed(Event, frozen=True, kw_only=True):
    """A message was not sent, and why."""

    message_id: str
    customer_id: CustomerId
    channel: MessageChannel
    purpose: Purpose
    template_id: str
    reason: SuppressionReason
    order_id: OrderId | None = None


@published(by="notification")
class MessageSent(Event, frozen=True, kw_only=True):
    """A message went out. Kept with its words, its date, and the consent it relied on."""

    message_id: str
    customer_id: CustomerId
    channel: MessageChannel
    purpose: Purpose
    template_id: str
    template_version: Whole
    locale: str
    address: PersonalText
    text: PersonalText
    subject: PersonalText | None = None
    consent_event_id: str | None = None
    provider_message_id: str | None = None
    order_id: OrderId | None = None


@published(by="notification")
class MessageFailed(Event, frozen=True, kw_only=True):
    """A message could not be delivered to the provider, for good."""

    message_id: str
    customer_id: CustomerId
    channel: MessageChannel
    purpose: Purpose
    template_id: str
    error: str
    attempts: Whole
    order_id: OrderId | None = None
