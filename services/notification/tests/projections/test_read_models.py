"""Read models do not depend on how the stream is cut, nor on how events of different customers lie between each other."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from till_events.customer import ConsentGranted, ConsentWithdrawn, CustomerProfileChanged, CustomerRegistered
from till_events.notification import (
    MessageDeferred,
    MessageFailed,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
    NotificationRulePublished,
    TemplatePublished,
)
from till_notification.projections.consents import Consents
from till_notification.projections.contacts import Contacts
from till_notification.projections.messages import Messages, was_overtaken
from till_notification.projections.rules import Rules
from till_notification.projections.templates import Templates
from till_platform.testing.projections import fact, rows_after

pytestmark = pytest.mark.integration

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CUSTOMERS = ("c-1", "c-2", "c-3")

times = st.integers(0, 5).map(lambda minute: NOON + timedelta(minutes=minute))
customers = st.sampled_from(CUSTOMERS)


def consent(cls, at, customer_id, channel):
    address = "+48601000001" if channel == "sms" else "anna@example.com"
    shared = {"purpose": "marketing", "channel": channel, "address": address, "collected_from": "web"}
    wording = {"wording": "v1"} if cls is ConsentGranted else {}
    return cls(occurred_at=at, customer_id=customer_id, **shared, **wording)


def profile(cls, at, customer_id, name):
    changed = {"changed": ("name",)} if cls is CustomerProfileChanged else {}
    return cls(occurred_at=at, customer_id=customer_id, name=name, phones=("+48601000001",), **changed)


def message_story(customer_id, number, ends):
    about = {"message_id": f"{customer_id}-{number}", "customer_id": customer_id}
    what = {**about, "channel": "sms", "purpose": "transactional", "template_id": "t"}
    wanted = MessageRequested(
        occurred_at=NOON, **what, rule_id="r", trigger_event_id="e", trigger_type="T", not_after=NOON, values={}
    )
    endings = {
        "waiting": [],
        "deferred": [MessageDeferred(occurred_at=NOON, until=NOON, **about)],
        "suppressed": [MessageSuppressed(occurred_at=NOON, reason="stale", **what)],
        "failed": [MessageFailed(occurred_at=NOON, error="sms-422", attempts=2, **what)],
        "sent": [
            MessageDeferred(occurred_at=NOON, until=NOON, **about),
            MessageSent(
                occurred_at=NOON,
                **what,
                template_version=1,
                locale="en",
                address="+48601000001",
                text="Hi",
                subject=None,
            ),
        ],
    }
    return [wanted, *endings[ends]]


messages = st.lists(st.sampled_from(["waiting", "deferred", "suppressed", "failed", "sent"]), max_size=6).map(
    lambda endings: [
        event
        for number, ends in enumerate(endings)
        for event in message_story(CUSTOMERS[number % len(CUSTOMERS)], number, ends)
    ]
)
consents = st.lists(
    st.builds(
        consent,
        st.sampled_from([ConsentGranted, ConsentWithdrawn]),
        times,
        customers,
        st.sampled_from(["sms", "email"]),
    ),
    max_size=20,
)
contacts = st.lists(
    st.builds(
        profile,
        st.sampled_from([CustomerRegistered, CustomerProfileChanged]),
        times,
        customers,
        st.sampled_from(["Anna", "Анна", "Åsa"]),
    ),
    max_size=20,
)
rules = st.lists(
    st.builds(
        lambda version: NotificationRulePublished(
            occurred_at=NOON,
            rule_id="r",
            version=version,
            on="TierChanged",
            template_id="t",
            channels=("sms",),
            purpose="loyalty",
            stale_after_minutes=version,
        ),
        st.integers(1, 5),
    ),
    max_size=5,
)
templates = st.lists(
    st.builds(
        lambda version, channel: TemplatePublished(
            occurred_at=NOON, template_id="t", version=version, channel=channel, locale="en", text="Hi"
        ),
        st.integers(1, 5),
        st.sampled_from(["sms", "email"]),
    ),
    max_size=8,
)
stories = st.one_of(
    st.tuples(st.just(Messages()), messages),
    st.tuples(st.just(Consents()), consents),
    st.tuples(st.just(Contacts()), contacts),
    st.tuples(st.just(Rules()), rules),
    st.tuples(st.just(Templates()), templates),
)


@pytest.fixture(scope="module")
def connection(infra):
    with psycopg.connect(infra.database("projections"), autocommit=True) as opened:
        yield opened


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories, data=st.data())
def test_however_the_stream_is_cut_and_the_customers_are_mixed_the_rows_are_the_same(connection, story, data):
    projection, events = story
    facts = [fact(event, event_id=f"event-{number}") for number, event in enumerate(events)]
    by_key = sorted(facts, key=lambda one: one.key)  # stable: the order within a key is kept
    cuts = sorted(data.draw(st.lists(st.integers(0, len(facts)), max_size=4)))
    pieces = [by_key[start:end] for start, end in zip([0, *cuts], [*cuts, len(facts)], strict=True)]
    assert rows_after(connection, projection, pieces) == rows_after(connection, projection, [facts])


def test_of_two_words_about_a_consent_the_one_said_later_stands_whichever_arrives_last(connection):
    granted = consent(ConsentGranted, NOON, "c-1", "sms")
    withdrawn = consent(ConsentWithdrawn, NOON + timedelta(minutes=1), "c-1", "sms")
    for order in ([granted, withdrawn], [withdrawn, granted]):
        for pieces in ([order], [order[:1], order[1:]]):
            batches = [[fact(event) for event in piece] for piece in pieces]
            ((*_, state, said_at, _event_id),) = rows_after(connection, Consents(), batches)["consents"]
            assert (state, said_at) == (False, withdrawn.occurred_at)


def test_what_became_of_a_message_nobody_asked_for_is_passed_over(connection):
    (_, suppressed) = message_story("c-1", 1, "suppressed")
    assert rows_after(connection, Messages(), [[fact(suppressed)]])["messages"] == []


@pytest.mark.parametrize(
    ("later", "overtaken"),
    [("waiting", True), ("deferred", True), ("sent", True), ("suppressed", False), ("failed", False), (None, False)],
)
async def test_a_message_is_overtaken_by_a_later_one_about_its_order_that_goes_or_went(connection, later, overtaken):
    def about_order(event, at):
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        return (
            type(event)(**{**fields, "order_id": "o-1", "occurred_at": at})
            if isinstance(event, MessageRequested)
            else event
        )

    (wanted,) = (about_order(event, NOON) for event in message_story("c-1", 1, "waiting"))
    following = message_story("c-1", 2, later) if later else []
    events = [wanted, *(about_order(event, NOON + timedelta(minutes=5)) for event in following)]
    rows_after(connection, Messages(), [[fact(event) for event in events]])

    class Reading:
        async def value(self, query, parameters):
            return connection.execute(query, parameters).fetchone()[0]

    assert await was_overtaken(Reading(), wanted) is overtaken
