"""One message: wanted once, settled once."""

from datetime import UTC, datetime, timedelta

import pytest

from till_events.ids import message_id
from till_events.notification import MessageDeferred, MessageFailed, MessageRequested, MessageSent, MessageSuppressed
from till_notification.domain.message import AlreadySettled, Message, is_history
from till_notification.domain.template import Words
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MORNING = NOW + timedelta(hours=9)
ID = message_id("e-1", "c-1", "order_delivery", "sms")


def wanted():
    return MessageRequested(
        occurred_at=NOW,
        message_id=ID,
        customer_id="c-1",
        channel="sms",
        purpose="transactional",
        template_id="order_delivery",
        rule_id="order-delivery",
        trigger_event_id="e-1",
        trigger_type="tillstream.order.OrderStatusChanged.v1",
        not_after=NOW + timedelta(hours=2),
        order_id="o-1",
    )


def no_message():
    return Message(Message.stream(ID))


def requested():
    return given(no_message(), wanted())


def send(message):
    message.sent(
        Words("Your order is on its way."),
        address="+48601000001",
        consent_event_id="consent-1",
        template_version=3,
        locale="en",
        provider_message_id="p-1",
        at=NOW,
    )


def settled(by):
    message = no_message()
    message.record(wanted())
    by(message)
    message.collect_events()
    return given(message)


SETTLINGS = {
    "sent": send,
    "suppressed": lambda message: message.suppress("stale", at=NOW),
    "failed": lambda message: message.fail("sms-422", attempts=1, at=NOW),
}


def test_a_message_is_wanted_once():
    given(no_message()).when(lambda message: message.request(wanted())).then(happened(MessageRequested, message_id=ID))
    requested().when(lambda message: message.request(wanted())).then_nothing()


def test_a_message_belongs_to_its_customer_wherever_it_travels():
    message = no_message()
    message.request(wanted())
    assert message.key == "c-1"


def test_a_sent_message_keeps_its_words_its_address_and_the_consent_it_relied_on():
    requested().when(send).then(
        happened(
            MessageSent,
            text="Your order is on its way.",
            address="+48601000001",
            consent_event_id="consent-1",
            template_version=3,
            order_id="o-1",
            provider_message_id="p-1",
        )
    )


def test_a_message_that_is_not_sent_says_why():
    requested().when(lambda message: message.suppress("no_consent", at=NOW)).then(
        happened(MessageSuppressed, reason="no_consent", customer_id="c-1", template_id="order_delivery")
    )


def test_a_message_that_waits_for_the_morning_says_so_once():
    requested().when(lambda message: message.defer(MORNING, at=NOW)).then(happened(MessageDeferred, until=MORNING))
    waiting = settled(lambda message: message.defer(MORNING, at=NOW))
    waiting.when(lambda message: message.defer(MORNING, at=NOW + timedelta(minutes=5))).then_nothing()


def test_a_message_that_waited_may_be_sent_or_dropped():
    settled(lambda message: message.defer(MORNING, at=NOW)).when(send).then(happened(MessageSent))
    settled(lambda message: message.defer(MORNING, at=NOW)).when(
        lambda message: message.suppress("stale", at=MORNING)
    ).then(happened(MessageSuppressed, reason="stale"))


def test_a_message_the_provider_will_not_take_is_given_up_with_a_code():
    requested().when(lambda message: message.fail("sms-422", attempts=3, at=NOW)).then(
        happened(MessageFailed, error="sms-422", attempts=3)
    )


@pytest.mark.parametrize("end", SETTLINGS)
@pytest.mark.parametrize("then", [*SETTLINGS, "deferred"])
def test_what_became_of_a_message_is_final(end, then):
    decide = {**SETTLINGS, "deferred": lambda message: message.defer(MORNING, at=NOW)}[then]
    settled(SETTLINGS[end]).when(decide).then_refused(AlreadySettled, state=end)


def test_what_happened_a_moment_ago_is_news():
    assert not is_history(occurred_at=NOW, recorded_at=NOW, not_after=NOW + timedelta(hours=2), now=NOW)


def test_what_is_past_its_use_is_history():
    assert is_history(
        occurred_at=NOW, recorded_at=NOW, not_after=NOW + timedelta(hours=2), now=NOW + timedelta(hours=3)
    )


def test_what_the_chain_learnt_long_after_it_happened_is_history_however_long_its_message_is_of_use():
    yesterday = NOW - timedelta(hours=14)
    assert is_history(occurred_at=yesterday, recorded_at=NOW, not_after=NOW + timedelta(days=2), now=NOW)
