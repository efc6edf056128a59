"""When a receiver is called again, when it is given up, and what a call is signed with."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from till_platform.webhooks.calling import GIVEN_UP_AFTER, LONGEST_WAIT, Answer, Receiver, given_up, wait_after
from till_platform.webhooks.signing import new_secret, signed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def receiver(failing_for: timedelta | None) -> Receiver:
    since = NOW - failing_for if failing_for is not None else None
    return Receiver("a", "https://a.example", None, new_secret(), None, 0, 3, since, NOW)


def test_a_receiver_verifies_a_call_with_a_library_of_the_standard():
    secret, body = new_secret(), json.dumps({"id": "e-1", "name": "Łukasz"}).encode()
    headers = signed("e-1", datetime.now(UTC), body, [secret])
    assert Webhook(secret).verify(body, headers)["id"] == "e-1"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_while_a_secret_is_changed_calls_are_good_under_both():
    new, former = new_secret(), new_secret()
    headers = signed("e-1", datetime.now(UTC), b"{}", [new, former])
    assert Webhook(new).verify(b"{}", headers) == Webhook(former).verify(b"{}", headers) == {}


def test_an_old_call_sent_again_by_somebody_else_is_refused():
    secret = new_secret()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(b"{}", signed("e-1", datetime.now(UTC) - timedelta(hours=1), b"{}", [secret]))


def test_waits_get_longer_up_to_two_hours():
    waits = [wait_after(attempts, chance=lambda: 0.5) for attempts in range(30)]
    assert waits[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_a_day_of_failing_has_more_than_a_dozen_calls():
    attempts, passed = 0, timedelta()
    while passed < GIVEN_UP_AFTER:
        passed += wait_after(attempts)
        attempts += 1
    assert attempts > 12


@pytest.mark.parametrize(
    ("failing_for", "status", "is_given_up"),
    [
        (None, 500, False),
        (timedelta(hours=23), 500, False),
        (timedelta(hours=24), 500, True),
        (timedelta(hours=24), None, True),
        (None, 410, True),
    ],
)
def test_a_receiver_is_given_up_after_a_day_or_when_it_says_that_it_is_gone(failing_for, status, is_given_up):
    assert (given_up(receiver(failing_for), Answer(status, None, 0.1), NOW) is not None) is is_given_up


@pytest.mark.parametrize(
    ("status", "taken"), [(200, True), (204, True), (302, False), (404, False), (500, False), (None, False)]
)
def test_only_a_success_is_an_event_taken(status, taken):
    assert Answer(status, None, 0.1).taken is taken
