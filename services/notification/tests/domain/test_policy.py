"""Whether a message may go now."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_events.notification import MessageRequested
from till_notification.domain.policy import Defer, QuietHours, Send, Suppress, decide
from till_notification.domain.recipient import Recipient

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
QUIET = QuietHours()
PHONE = "+48601000001"


def message(*, urgent=False, not_after=NOON + timedelta(days=2), channel="sms", purpose="transactional"):
    return MessageRequested(
        occurred_at=NOON,
        message_id="m-1",
        customer_id="c-1",
        channel=channel,
        purpose=purpose,
        template_id="order_delivery",
        rule_id="order-delivery",
        trigger_event_id="e-1",
        trigger_type="tillstream.order.OrderStatusChanged.v1",
        not_after=not_after,
        urgent=urgent,
    )


def anna(**changed):
    facts = {
        "customer_id": "c-1",
        "name": "Anna",
        "phones": (PHONE,),
        "emails": ("anna@example.com",),
        "locale": "pl-PL",
        "zone_name": "Europe/Warsaw",
        "consents": {("transactional", "sms", PHONE): "consent-1"},
    }
    return Recipient(**{**facts, **changed})


def at_local(zone, *clock):
    return datetime(*clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_a_message_goes_to_the_address_that_was_agreed_to_and_names_the_consent():
    assert decide(message(), anna(), now=NOON, quiet=QUIET) == Send(PHONE, "consent-1")


def test_without_any_consent_nothing_goes_not_even_about_an_order():
    assert decide(message(), anna(consents={}), now=NOON, quiet=QUIET) == Suppress("no_consent")


@pytest.mark.parametrize(
    "consent",
    [("marketing", "sms", PHONE), ("transactional", "email", "anna@example.com")],
    ids=["another purpose", "another channel"],
)
def test_a_consent_counts_only_for_its_own_purpose_and_channel(consent):
    assert decide(message(), anna(consents={consent: "e"}), now=NOON, quiet=QUIET) == Suppress("no_consent")


def test_an_address_that_is_no_longer_the_customers_is_not_written_to():
    moved = anna(phones=("+48601000002",))
    assert decide(message(), moved, now=NOON, quiet=QUIET) == Suppress("no_address")


def test_of_several_phones_the_first_that_was_agreed_to_is_used():
    two = anna(
        phones=("+48601000002", "+48601000003"), consents={("transactional", "sms", "+48601000003"): "consent-3"}
    )
    assert decide(message(), two, now=NOON, quiet=QUIET) == Send("+48601000003", "consent-3")


def test_what_is_too_late_is_stale_before_anything_else_is_asked():
    late = message(not_after=NOON - timedelta(seconds=1), urgent=True)
    assert decide(late, anna(consents={}), now=NOON, quiet=QUIET) == Suppress("stale")


def test_the_last_moment_of_use_is_still_in_time():
    assert decide(message(not_after=NOON), anna(), now=NOON, quiet=QUIET) == Send(PHONE, "consent-1")


def test_at_night_a_message_waits_until_nine_in_the_customers_zone():
    night = at_local("Europe/Warsaw", 2026, 11, 23, 22, 30)
    assert decide(message(), anna(), now=night, quiet=QUIET) == Defer(at_local("Europe/Warsaw", 2026, 11, 24, 9, 0))


def test_after_midnight_it_waits_for_the_same_morning():
    night = at_local("Europe/Warsaw", 2026, 11, 23, 3, 0)
    assert decide(message(), anna(), now=night, quiet=QUIET) == Defer(at_local("Europe/Warsaw", 2026, 11, 23, 9, 0))


def test_an_urgent_message_goes_at_night_too():
    night = at_local("Europe/Warsaw", 2026, 11, 23, 3, 0)
    assert decide(message(urgent=True), anna(), now=night, quiet=QUIET) == Send(PHONE, "consent-1")


def test_urgency_does_not_stand_in_for_consent():
    night = at_local("Europe/Warsaw", 2026, 11, 23, 3, 0)
    assert decide(message(urgent=True), anna(consents={}), now=night, quiet=QUIET) == Suppress("no_consent")


def test_it_is_the_customers_night_that_counts_not_the_shops():
    noon_in_utc_is_night_in_auckland = decide(message(), anna(zone_name="Pacific/Auckland"), now=NOON, quiet=QUIET)
    assert noon_in_utc_is_night_in_auckland == Defer(at_local("Pacific/Auckland", 2026, 11, 24, 9, 0))


def test_what_would_be_stale_at_dawn_does_not_wait_for_dawn():
    night = at_local("Europe/Warsaw", 2026, 11, 23, 22, 0)
    for_an_hour = message(not_after=night + timedelta(hours=1))
    assert decide(for_an_hour, anna(), now=night, quiet=QUIET) == Suppress("stale")


def test_what_is_of_use_at_dawn_goes_at_dawn():
    night = at_local("Europe/Warsaw", 2026, 11, 23, 22, 0)
    dawn = at_local("Europe/Warsaw", 2026, 11, 24, 9, 0)
    until_dawn = message(not_after=dawn)
    assert decide(until_dawn, anna(), now=night, quiet=QUIET) == Defer(dawn)
    assert decide(until_dawn, anna(), now=dawn, quiet=QUIET) == Send(PHONE, "consent-1")


def test_what_its_order_overtook_during_the_night_is_old_news_in_the_morning():
    dawn = at_local("Europe/Warsaw", 2026, 11, 24, 9, 0)
    assert decide(message(), anna(), now=dawn, quiet=QUIET, overtaken=True) == Suppress("stale")


def test_a_consent_withdrawn_during_the_night_stops_the_message_in_the_morning():
    dawn = at_local("Europe/Warsaw", 2026, 11, 24, 9, 0)
    assert decide(message(), anna(consents={}), now=dawn, quiet=QUIET) == Suppress("no_consent")


@pytest.mark.parametrize(
    ("evening", "hours"),
    [((2026, 10, 24, 22, 0), 12), ((2026, 3, 28, 22, 0), 10), ((2026, 6, 1, 22, 0), 11)],
    ids=["clocks go back", "clocks go forward", "an ordinary night"],
)
def test_the_night_in_which_clocks_are_moved_still_ends_at_nine_on_the_wall(evening, hours):
    night = at_local("Europe/Warsaw", *evening)
    decision = decide(message(not_after=night + timedelta(days=2)), anna(), now=night, quiet=QUIET)
    assert decision == Defer(night + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("clock", "night"),
    [((20, 59, 59), False), ((21, 0), True), ((8, 59, 59), True), ((9, 0), False)],
)
def test_night_is_from_nine_in_the_evening_to_nine_in_the_morning(clock, night):
    moment = at_local("Europe/Warsaw", 2026, 11, 23, *clock)
    assert QUIET.cover(moment, ZoneInfo("Europe/Warsaw")) is night


def test_a_chain_may_have_a_night_within_one_day_or_none():
    siesta = QuietHours(time(13), time(15))
    assert siesta.cover(datetime(2026, 11, 23, 14, tzinfo=UTC), UTC)
    assert not siesta.cover(datetime(2026, 11, 23, 15, tzinfo=UTC), UTC)
    never = QuietHours(time(0), time(0))
    assert not any(never.cover(NOON + timedelta(hours=hour), UTC) for hour in range(24))


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "Europe", "UTC\0"])
def test_a_customer_whose_zone_is_no_zone_sleeps_in_utc(zone):
    assert anna(zone_name=zone).zone is UTC


moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware by the strategy
zones = st.sampled_from(sorted(available_timezones() - {"localtime"}))


@settings(deadline=None, max_examples=300)
@given(moment=moments, zone=zones)
def test_in_every_zone_the_morning_is_ahead_near_and_not_at_night(moment, zone):
    morning = QUIET.morning_after(moment, ZoneInfo(zone))
    assert moment < morning <= moment + timedelta(hours=49)
    assert not QUIET.cover(morning, ZoneInfo(zone))


@settings(deadline=None, max_examples=300)
@given(moment=moments, zone=zones)
def test_whatever_is_not_urgent_never_goes_at_night(moment, zone):
    decision = decide(message(not_after=moment + timedelta(days=7)), anna(zone_name=zone), now=moment, quiet=QUIET)
    assert isinstance(decision, Defer) is QUIET.cover(moment, ZoneInfo(zone))
