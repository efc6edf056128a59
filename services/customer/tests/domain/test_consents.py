from datetime import timedelta
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given as forall
from hypothesis import strategies as some

from till_customer.domain.consent import CHANNELS, PURPOSES, ConsentKey
from till_customer.domain.customer import NoAddress
from till_customer.domain.moments import happened_at
from till_events.customer import ConsentGranted, ConsentWithdrawn, MessageChannel, Purpose
from till_platform.domain import Invalid
from till_platform.testing import given, happened

from .people import EMAIL, NOON, PHONE, agreed, later, registered, stranger, withdrew

SMS = ConsentKey("marketing", "sms", PHONE)


def grant(customer, address=PHONE, *, at=NOON, wording="2026-01", channel="sms", purpose="marketing"):
    customer.grant_consent(purpose, channel, address, wording=wording, collected_from="till", at=at)


def withdraw(customer, address=PHONE, *, at=NOON, channel="sms"):
    customer.withdraw_consent("marketing", channel, address, collected_from="web", at=at)


def test_a_consent_is_for_one_purpose_one_channel_one_address() -> None:
    anna = (
        given(stranger(), registered())
        .when(lambda c: grant(c, "501 234 567"))
        .then(happened(ConsentGranted, purpose="marketing", channel="sms", address=PHONE, wording="2026-01"))
    )
    assert anna.aggregate.agrees(SMS)
    assert not anna.aggregate.agrees(ConsentKey("loyalty", "sms", PHONE))
    assert not anna.aggregate.agrees(ConsentKey("marketing", "email", EMAIL))
    assert not anna.aggregate.agrees(ConsentKey("marketing", "sms", "+48501234568"))


def test_an_address_for_email_is_kept_in_lower_case() -> None:
    given(stranger(), registered()).when(lambda c: grant(c, "ANNA@example.com", channel="email")).then(
        happened(ConsentGranted, address=EMAIL)
    )


def test_the_only_phone_is_meant_when_none_is_named() -> None:
    given(stranger(), registered()).when(lambda c: grant(c, None)).then(happened(ConsentGranted, address=PHONE))


@pytest.mark.parametrize("phones", [(), (PHONE, "+48501234568")])
def test_of_no_phone_or_several_none_is_guessed(phones: tuple[str, ...]) -> None:
    given(stranger(), registered(phones=phones)).when(lambda c: grant(c, None)).then_refused(NoAddress)


def test_hearing_the_same_consent_twice_changes_nothing() -> None:
    given(stranger(), registered(), agreed()).when(grant).then_nothing()


def test_agreeing_again_to_a_new_wording_is_recorded() -> None:
    given(stranger(), registered(), agreed()).when(lambda c: grant(c, at=later(days=1), wording="2027-01")).then(
        happened(ConsentGranted, wording="2027-01")
    )


def test_a_withdrawal_ends_a_consent() -> None:
    anna = given(stranger(), registered(), agreed()).when(lambda c: withdraw(c, at=later(hours=1)))
    anna.then(happened(ConsentWithdrawn, address=PHONE))
    assert not anna.aggregate.agrees(SMS)


def test_a_consent_that_arrives_after_a_later_withdrawal_does_not_revive_it() -> None:
    anna = given(stranger(), registered(), withdrew(later(hours=2))).when(lambda c: grant(c, at=later(hours=1)))
    anna.then(happened(ConsentGranted))
    assert not anna.aggregate.agrees(SMS)


def test_agreeing_and_withdrawing_at_the_same_instant_means_no() -> None:
    for events in permutations((agreed(NOON), withdrew(NOON))):
        assert not given(stranger(), registered(), *events).aggregate.agrees(SMS)


def test_withdrawing_without_an_address_means_all_of_the_channel() -> None:
    other = "+48501234568"
    anna = given(stranger(), registered(), agreed(), agreed(address=other))
    outcome = anna.when(lambda c: withdraw(c, None, at=later(days=1)))
    outcome.then(happened(ConsentWithdrawn, address=PHONE), happened(ConsentWithdrawn, address=other))
    assert not any(standing.granted for standing in outcome.aggregate.consents.values())


def test_who_has_no_address_for_a_channel_has_nothing_to_withdraw_there() -> None:
    anna = given(stranger(), registered(emails=()), agreed())
    anna.when(lambda c: withdraw(c, None, channel="email")).then_refused(NoAddress, channel="email")


def test_by_post_any_words_on_one_line_are_an_address_and_nothing_is_none() -> None:
    def by_post(address: str):
        return given(stranger(), registered()).when(lambda c: grant(c, address, channel="post"))

    by_post(" Long  Street 1,\nWarsaw ").then(happened(ConsentGranted, address="Long Street 1, Warsaw"))
    for nothing in ("  ", "x" * 501, "a\x00b"):
        by_post(nothing).then_refused(Invalid, field="address")


def test_what_was_never_granted_can_be_withdrawn_and_stays_so() -> None:
    anna = given(stranger(), registered()).when(lambda c: withdraw(c, at=NOON)).then(happened(ConsentWithdrawn))
    grant(anna.aggregate, at=NOON - timedelta(days=1))
    assert not anna.aggregate.agrees(SMS)


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ({"purpose": "markting"}, "purpose"),
        ({"channel": "fax"}, "channel"),
        ({"wording": " "}, "wording"),
        ({"address": "12"}, "phones"),
    ],
)
def test_a_consent_nobody_could_rely_on_is_refused(subject: dict[str, str], field: str) -> None:
    given(stranger(), registered()).when(lambda c: grant(c, **subject)).then_refused(Invalid, field=field)


def test_we_know_the_same_purposes_and_channels_as_everybody_else() -> None:
    assert get_args(Purpose)[1].extra_json_schema["x-known-values"] == list(PURPOSES)
    assert get_args(MessageChannel)[1].extra_json_schema["x-known-values"] == list(CHANNELS)


@forall(some.lists(some.tuples(some.booleans(), some.integers(0, 5)), max_size=6), some.randoms(use_true_random=False))
def test_how_a_consent_stands_does_not_depend_on_the_order_of_arrival(words, random) -> None:
    events = [agreed(later(minutes=minute)) if yes else withdrew(later(minutes=minute)) for yes, minute in words]
    shuffled = list(events)
    random.shuffle(shuffled)
    told = given(stranger(), registered(), *events).aggregate
    retold = given(stranger(), registered(), *shuffled).aggregate
    assert told.consents.get(SMS) == retold.consents.get(SMS)


def test_a_clock_a_little_ahead_counts_as_now_and_one_far_ahead_is_refused() -> None:
    assert happened_at(later(minutes=5), NOON) == NOON
    assert happened_at(later(minutes=-5), NOON) == later(minutes=-5)
    assert happened_at(None, NOON) == NOON
    for wrong in (later(minutes=11), NOON.replace(year=1899), NOON.replace(tzinfo=None)):
        with pytest.raises(Invalid):
            happened_at(wrong, NOON)
