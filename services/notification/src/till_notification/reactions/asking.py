"""What every reaction of this service does: ask for the messages that the rules name, and no more than ask."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from till_events.ids import CustomerId, OrderId, StoreId, message_id
from till_events.notification import MessageRequested, NotificationRulePublished
from till_notification.domain.message import Message, is_history
from till_platform.batch import Fact
from till_platform.reactions.reaction import Unit

EFFECT = "message"


def ask_for_messages(
    unit: Unit,
    fact: Fact[Any],
    rules: Iterable[NotificationRulePublished],
    *,
    customer_id: CustomerId,
    values: dict[str, str],
    order_id: OrderId | None = None,
    store_id: StoreId | None = None,
    promised_from: datetime | None = None,
    promised_to: datetime | None = None,
    history: bool = False,
    not_before: datetime | None = None,
) -> None:
    """Ask for a message per rule and channel, once per happening, customer, template and channel.

    What is history is suppressed on the spot and never reaches a sender: whoever brings in a year of receipts writes to nobody.
    """
    occurred_at, recorded_at = fact.event.occurred_at, fact.recorded_at
    for rule, channel in [(each, channel) for each in rules for channel in each.channels]:
        identity = message_id(fact.id, customer_id, rule.template_id, channel)
        # A clock that runs ahead in some shop must not make a message of use for longer.
        not_after = min(occurred_at, recorded_at) + timedelta(minutes=rule.stale_after_minutes)
        message = unit.get(Message, identity)
        is_new = message.request(
            MessageRequested(
                occurred_at=unit.now,
                message_id=identity,
                customer_id=customer_id,
                channel=channel,
                purpose=rule.purpose,
                template_id=rule.template_id,
                rule_id=rule.rule_id,
                trigger_event_id=fact.id,
                trigger_type=fact.type,
                not_after=not_after,
                urgent=rule.urgent,
                order_id=order_id,
                store_id=store_id,
                promised_from=promised_from,
                promised_to=promised_to,
                values=values,
            )
        )
        if not is_new:
            continue
        if history or is_history(occurred_at=occurred_at, recorded_at=recorded_at, not_after=not_after, now=unit.now):
            message.suppress("stale", at=unit.now)
        else:
            ask_to_send(unit, fact, identity, not_before=not_before)


def ask_to_send(unit: Unit, fact: Fact[Any], identity: str, *, not_before: datetime | None = None) -> None:
    """Ask for a message to be sent. Ids only: what it says and where it goes is looked up when it goes."""
    payload = {"message_id": identity, "correlation_id": fact.correlation_id}
    unit.effect(EFFECT, identity, payload, not_before=not_before)
