"""What a happening leads to: messages asked for, and nothing sent."""

from datetime import timedelta

import pytest

from till_events.customer import Acquisition, CustomerRegistered
from till_events.ids import message_id
from till_events.loyalty import TierChanged
from till_events.notification import MessageRequested
from till_events.order import OrderStatusChanged
from till_notification.domain.happening import PERSONAL
from till_notification.reactions.when_customer_is_registered import PEN_IN_HAND, WhenCustomerIsRegistered
from till_notification.reactions.when_message_is_requested import WhenMessageIsRequested
from till_notification.reactions.when_order_status_changed import WhenOrderStatusChanged
from till_notification.reactions.when_tier_changed import WhenTierChanged


def moved(at, *, to="delivery", came_from="assembly", customer_id="c-1"):
    return OrderStatusChanged(
        occurred_at=at,
        order_id="o-1",
        number="S1-17",
        store_id="S1",
        from_status=came_from,
        to_status=to,
        from_phase=came_from,
        to_phase=to,
        workflow_version=1,
        customer_id=customer_id,
        promised_from=at + timedelta(minutes=30),
        promised_to=at + timedelta(minutes=60),
    )


def registered(at, *, source="store"):
    return CustomerRegistered(
        occurred_at=at, customer_id="c-1", name="Anna", acquisition=Acquisition(source=source), store_id="S1"
    )


def promoted(at):
    return TierChanged(
        occurred_at=at,
        account_id="a-1",
        customer_id="c-1",
        from_tier="base",
        to_tier="silver",
        spend_minor=50_000,
        currency="USD",
        window_from=at.date(),
        window_to=at.date(),
        rules_version=1,
    )


def test_an_order_that_moves_on_asks_for_a_message_on_every_channel_of_its_rule(happenings):
    fact = happenings.fact(moved(happenings.now))
    WhenOrderStatusChanged().react(fact, happenings)
    assert {wanted.channel for wanted in happenings.requested} == {"sms", "email"}
    for wanted in happenings.requested:
        assert wanted.message_id == message_id(fact.id, "c-1", "order_delivery", wanted.channel)
        assert (wanted.order_id, wanted.store_id, wanted.values) == ("o-1", "S1", {"number": "S1-17"})
        assert (wanted.urgent, wanted.purpose, wanted.trigger_event_id) == (True, "transactional", fact.id)
        assert wanted.not_after == happenings.now + timedelta(hours=2)
        assert wanted.promised_to == happenings.now + timedelta(hours=1)
        assert ("message", wanted.message_id) in happenings.effects


def test_what_a_sender_is_handed_holds_ids_only(happenings):
    WhenOrderStatusChanged().react(happenings.fact(moved(happenings.now)), happenings)
    assert all(payload.keys() == {"message_id"} for payload, _ in happenings.effects.values())


def test_the_same_happening_twice_asks_once(happenings):
    fact = happenings.fact(moved(happenings.now))
    WhenOrderStatusChanged().react(fact, happenings)
    WhenOrderStatusChanged().react(fact, happenings)
    assert len(happenings.requested) == len(happenings.effects) == 2


def test_two_rules_that_say_the_same_say_it_once(happenings):
    from till_notification.domain.rule_book import Rule

    rule = happenings.book.rules["order-delivery"]
    again = Rule(
        rule_id="again",
        on=rule.on,
        status=None,
        template_id=rule.template_id,
        channels=("sms",),
        purpose=rule.purpose,
        stale_after_minutes=5,
    )
    happenings.book.publish(again, at=happenings.now)
    WhenOrderStatusChanged().react(happenings.fact(moved(happenings.now)), happenings)
    assert sorted(wanted.channel for wanted in happenings.requested) == ["email", "sms"]


def test_an_order_of_nobody_tells_nobody_and_reads_nothing(happenings):
    fact = happenings.fact(moved(happenings.now, customer_id=None))
    assert (
        list(WhenOrderStatusChanged().wants(fact)) == list(WhenOrderStatusChanged().also_wants(fact, happenings)) == []
    )
    WhenOrderStatusChanged().react(fact, happenings)
    assert happenings.requested == []


def test_a_move_that_no_rule_answers_asks_for_nothing(happenings):
    WhenOrderStatusChanged().react(happenings.fact(moved(happenings.now, to="new", came_from="new")), happenings)
    assert happenings.requested == []


@pytest.mark.parametrize(
    ("reaction", "event", "late"),
    [
        (WhenOrderStatusChanged(), moved, timedelta(hours=3)),
        (WhenTierChanged(), promoted, timedelta(days=8)),
        (WhenTierChanged(), promoted, timedelta(hours=2)),
        (WhenCustomerIsRegistered(), registered, timedelta(days=300)),
    ],
    ids=["an order of this morning", "a tier of last week", "a tier of two hours ago", "a customer of last year"],
)
def test_history_that_is_brought_in_is_counted_as_stale_and_never_reaches_a_sender(happenings, reaction, event, late):
    reaction.react(happenings.fact(event(happenings.now - late)), happenings)
    assert {suppressed.reason for suppressed in happenings.suppressed} == {"stale"}
    assert len(happenings.suppressed) == len(happenings.requested) == 2
    assert happenings.effects == {}


def test_news_that_lay_unread_while_the_service_was_down_is_still_sent_if_it_is_of_use(happenings):
    an_hour_and_a_half_ago = happenings.now - timedelta(minutes=90)
    fact = happenings.fact(moved(an_hour_and_a_half_ago), recorded_at=an_hour_and_a_half_ago)
    WhenOrderStatusChanged().react(fact, happenings)
    assert len(happenings.effects) == 2


def test_a_shops_clock_that_runs_ahead_does_not_make_a_message_of_use_for_longer(happenings):
    fact = happenings.fact(moved(happenings.now + timedelta(hours=10)), recorded_at=happenings.now)
    WhenOrderStatusChanged().react(fact, happenings)
    assert {wanted.not_after for wanted in happenings.requested} == {happenings.now + timedelta(hours=2)}


def test_who_joins_is_welcomed_once_the_form_is_filled_in(happenings):
    WhenCustomerIsRegistered().react(happenings.fact(registered(happenings.now)), happenings)
    assert {wanted.template_id for wanted in happenings.requested} == {"welcome"}
    assert {not_before for _, not_before in happenings.effects.values()} == {happenings.now + PEN_IN_HAND}


def test_who_came_with_a_list_is_an_old_acquaintance(happenings):
    WhenCustomerIsRegistered().react(happenings.fact(registered(happenings.now, source="import")), happenings)
    assert len(happenings.suppressed) == 2
    assert happenings.effects == {}


def test_who_reaches_another_level_is_told_which(happenings):
    WhenTierChanged().react(happenings.fact(promoted(happenings.now)), happenings)
    assert {wanted.purpose for wanted in happenings.requested} == {"loyalty"}
    assert all(wanted.values == {"tier": "silver", "from_tier": "base"} for wanted in happenings.requested)


@pytest.mark.parametrize(("trigger", "handed_over"), [(PERSONAL, 1), ("tillstream.order.OrderStatusChanged.v1", 0)])
def test_a_message_by_hand_is_handed_to_the_sender_and_one_by_a_rule_was_already(happenings, trigger, handed_over):
    wanted = MessageRequested(
        occurred_at=happenings.now,
        message_id="m-1",
        customer_id="c-1",
        channel="sms",
        purpose="marketing",
        template_id="greeting",
        rule_id="personal",
        trigger_event_id="w-1",
        trigger_type=trigger,
        not_after=happenings.now + timedelta(days=1),
    )
    WhenMessageIsRequested().react(happenings.fact(wanted), happenings)
    assert len(happenings.effects) == handed_over
