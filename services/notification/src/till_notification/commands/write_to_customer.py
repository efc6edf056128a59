from dataclasses import dataclass
from datetime import datetime, timedelta

from till_events.ids import CustomerId, StoreId, message_id, new_id
from till_events.notification import MessageRequested
from till_notification.commands.wordings import must_suit
from till_notification.domain.happening import PERSONAL
from till_notification.domain.message import Message
from till_platform.eventstore.log import Log

OF_USE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class WriteToCustomer:
    """Somebody of the staff writes to one customer, with the words of a template."""

    customer_id: str
    template_id: str
    channel: str
    store_id: str | None
    at: datetime


async def write_to_customer(command: WriteToCustomer, log: Log) -> Message:
    """Ask for the message. It is marketing: it goes by day only, and only to who agreed to that; it is of use for a day."""
    await must_suit(log, command.template_id, [command.channel], happening=PERSONAL)
    wish = new_id()
    identity = message_id(wish, command.customer_id, command.template_id, command.channel)
    message = Message(Message.stream(identity))
    message.request(
        MessageRequested(
            occurred_at=command.at,
            message_id=identity,
            customer_id=CustomerId(command.customer_id),
            channel=command.channel,
            purpose="marketing",
            template_id=command.template_id,
            rule_id="personal",
            trigger_event_id=wish,
            trigger_type=PERSONAL,
            not_after=command.at + OF_USE,
            store_id=StoreId(command.store_id) if command.store_id else None,
        )
    )
    await log.save(message)
    return message
