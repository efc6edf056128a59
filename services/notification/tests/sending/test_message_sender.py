"""The moment of sending, with a log in memory and providers that do as they are told."""

from datetime import UTC, datetime, timedelta

import pytest

from till_events.notification import (
    MessageDeferred,
    MessageFailed,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
    TemplatePublished,
)
from till_notification.domain.message import Message
from till_notification.domain.policy import QuietHours
from till_notification.domain.template import Template
from till_notification.sending.message_sender import ASK_AGAIN, HEARSAY, MessageSender
from till_notification.sending.provider import NoAnswer, Provider, Refused
from till_platform.clock import Clock
from till_platform.effects.sender import Effect, Postpone, TryAgain

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PHONE = "+48601000001"


class Watch(Clock):
    def __init__(self, moment):
        self.moment = moment

    def now(self):
        return self.moment


class MemoryLog:
    """Keeps streams as lists of events."""

    def __init__(self):
        self.streams = {}
        self.done = []

    def record(self, aggregate, *events):
        for event in events:
            aggregate.record(event)
        self._keep(aggregate)

    def _keep(self, aggregate):
        recorded = aggregate.collect_events()
        self.streams.setdefault(aggregate.id, []).extend(recorded)
        return [each.event for each in recorded]

    async def load(self, cls, identity):
        stream = cls.stream(identity)
        return cls.project(cls(stream), self.streams.get(stream, []))

    async def load_many(self, cls, identities):
        return {identity: await self.load(cls, identity) for identity in identities}

    async def save(self, aggregate, *, done=None):
        self._keep(aggregate)
        if done is not None:
            self.done.append(done)

    async def retrying(self, handle):
        return await handle()

    def became(self, message_id="m-1"):
        return [each.event for each in self.streams[Message.stream(message_id)]][1:]


class People:
    """What the read models say of customers."""

    def __init__(self):
        self.rows = {}
        self.later_messages = False

    async def value(self, _query, _parameters):
        return self.later_messages

    async def one(self, _query, parameters):
        return self.rows.get(parameters[0])


class Carrier(Provider):
    """Takes messages, or does as told."""

    def __init__(self):
        self.taken = []
        self.answer = "p-1"

    async def send(self, outgoing):
        self.taken.append(outgoing)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Desk:
    """A sender and all it needs, at noon, with one message about an order for Anna, who agreed."""

    def __init__(self):
        self.log, self.people, self.carrier, self.watch = MemoryLog(), People(), Carrier(), Watch(NOON)
        self.sender = MessageSender(
            self.log, self.people, self.watch, {"sms": self.carrier}, quiet=QuietHours(), max_attempts=3
        )
        self.people.rows["c-1"] = self.anna()
        self.publish("en", "Order {{ number }} comes{% if promised %} {{ promised }}{% endif %}.")
        self.log.record(
            Message(Message.stream("m-1")),
            MessageRequested(
                occurred_at=NOON,
                message_id="m-1",
                customer_id="c-1",
                channel="sms",
                purpose="transactional",
                template_id="delivery",
                rule_id="r-1",
                trigger_event_id="e-1",
                trigger_type="tillstream.order.OrderStatusChanged.v1",
                not_after=NOON + timedelta(hours=2),
                order_id="o-1",
                promised_from=NOON + timedelta(hours=2),
                promised_to=NOON + timedelta(hours=4),
                values={"number": "S1-17"},
            ),
        )

    def anna(self, **changed):
        consent = ["transactional", "sms", PHONE, "consent-1"]
        known = {
            "name": "Anna",
            "phones": [PHONE],
            "emails": [],
            "locale": "pl-PL",
            "zone": "UTC",
            "consents": [consent],
        }
        return {**known, **changed}

    def publish(self, locale, text):
        template = Template(Template.stream(Template.identity_of("delivery", "sms", locale)))
        self.log.record(
            template,
            TemplatePublished(
                occurred_at=NOON, template_id="delivery", version=4, channel="sms", locale=locale, text=text
            ),
        )

    async def deliver(self, *, attempts=1):
        await self.sender.deliver(Effect(7, "message", "m-1", {"message_id": "m-1"}, attempts))


@pytest.fixture
def desk():
    return Desk()


async def test_a_message_goes_with_its_words_and_is_settled_together_with_its_effect(desk):
    await desk.deliver()
    (sent,) = desk.log.became()
    assert type(sent) is MessageSent
    assert sent.text == "Order S1-17 comes between 14:00 and 16:00."
    assert (sent.template_version, sent.locale, sent.consent_event_id) == (4, "en", "consent-1")
    assert (sent.address, sent.provider_message_id) == (PHONE, "p-1")
    assert desk.log.done == [7]


async def test_the_promised_time_is_told_as_it_reads_when_the_message_goes(desk):
    desk.people.rows["c-1"] = desk.anna(zone="Europe/Warsaw")
    desk.watch.moment = NOON + timedelta(hours=2)
    await desk.deliver()
    assert desk.log.became()[0].text == "Order S1-17 comes by 17:00."


async def test_words_in_the_customers_language_come_before_english(desk):
    desk.publish("pl", "Zamówienie {{ number }} będzie {{ promised }}.")
    await desk.deliver()
    assert desk.log.became()[0].text == "Zamówienie S1-17 będzie między 14:00 a 16:00."


async def test_without_words_in_any_language_nothing_goes(desk):
    desk.log.streams.pop(Template.stream(Template.identity_of("delivery", "sms", "en")))
    await desk.deliver()
    (suppressed,) = desk.log.became()
    assert (type(suppressed), suppressed.reason) == (MessageSuppressed, "no_template")
    assert desk.carrier.taken == []


async def test_words_that_name_what_was_not_told_fail_visibly(desk):
    desk.publish("pl", "Poziom {{ tier }}")
    await desk.deliver()
    (failed,) = desk.log.became()
    assert (type(failed), failed.error) == (MessageFailed, "wording")


async def test_a_message_that_is_settled_is_not_sent_again(desk):
    await desk.deliver()
    await desk.deliver()
    assert len(desk.carrier.taken) == len(desk.log.became()) == 1
    assert desk.log.done == [7, 7]


async def test_at_night_it_is_put_off_until_morning_and_that_is_recorded_once(desk):
    desk.log.streams[Message.stream("m-1")][0].event = _of_use_until(desk, NOON + timedelta(days=1))
    desk.watch.moment = NOON + timedelta(hours=10)
    for _ in range(2):
        with pytest.raises(Postpone) as put_off:
            await desk.deliver()
        assert put_off.value.until == NOON + timedelta(hours=21)
    assert [type(event) for event in desk.log.became()] == [MessageDeferred]
    assert desk.log.done == []
    desk.watch.moment = put_off.value.until
    await desk.deliver()
    assert type(desk.log.became()[-1]) is MessageSent


async def test_in_the_morning_an_order_that_moved_on_is_not_told_where_it_was(desk):
    desk.log.streams[Message.stream("m-1")][0].event = _of_use_until(desk, NOON + timedelta(days=1))
    desk.people.later_messages = True
    desk.watch.moment = NOON + timedelta(hours=10)
    with pytest.raises(Postpone) as put_off:
        await desk.deliver()
    desk.watch.moment = put_off.value.until
    await desk.deliver()
    assert [type(event) for event in desk.log.became()] == [MessageDeferred, MessageSuppressed]
    assert desk.carrier.taken == []


async def test_by_day_every_move_is_told_even_if_the_next_one_follows_at_once(desk):
    desk.people.later_messages = True
    await desk.deliver()
    assert type(desk.log.became()[0]) is MessageSent


async def test_what_is_stale_is_suppressed_with_its_effect(desk):
    desk.watch.moment = NOON + timedelta(hours=2, seconds=1)
    await desk.deliver()
    (suppressed,) = desk.log.became()
    assert (type(suppressed), suppressed.reason, desk.log.done) == (MessageSuppressed, "stale", [7])


async def test_a_provider_that_does_not_answer_is_asked_again_with_the_same_id_and_then_given_up(desk):
    desk.carrier.answer = NoAnswer("sms-timeout")
    for attempt in (1, 2):
        with pytest.raises(TryAgain):
            await desk.deliver(attempts=attempt)
    assert desk.log.became() == []
    await desk.deliver(attempts=3)
    (failed,) = desk.log.became()
    assert (type(failed), failed.error, failed.attempts) == (MessageFailed, "sms-timeout", 3)
    assert {outgoing.message_id for outgoing in desk.carrier.taken} == {"m-1"}


async def test_what_may_have_reached_the_customer_is_never_said_not_to_have_been_sent(desk):
    desk.carrier.answer = NoAnswer("sms-timeout")
    with pytest.raises(TryAgain):
        await desk.deliver(attempts=1)
    desk.watch.moment = NOON + timedelta(hours=3)
    await desk.deliver(attempts=2)
    (failed,) = desk.log.became()
    assert (type(failed), failed.error, failed.attempts) == (MessageFailed, "stale", 1)


async def test_what_a_provider_refuses_is_not_tried_again(desk):
    desk.carrier.answer = Refused("sms-422")
    await desk.deliver()
    (failed,) = desk.log.became()
    assert (type(failed), failed.error, desk.log.done) == (MessageFailed, "sms-422", [7])


async def test_a_customer_not_heard_of_yet_is_waited_for_a_little(desk):
    anna = desk.people.rows.pop("c-1")
    with pytest.raises(Postpone) as put_off:
        await desk.deliver()
    assert put_off.value.until == NOON + ASK_AGAIN
    desk.people.rows["c-1"] = anna
    await desk.deliver()
    assert type(desk.log.became()[0]) is MessageSent


async def test_a_customer_never_heard_of_did_not_agree(desk):
    desk.people.rows.clear()
    desk.watch.moment = NOON + HEARSAY
    await desk.deliver()
    assert desk.log.became()[0].reason == "no_consent"


def _of_use_until(desk, moment):
    wanted = desk.log.streams[Message.stream("m-1")][0].event
    fields = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return MessageRequested(**{**fields, "not_after": moment})
