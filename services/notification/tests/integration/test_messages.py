"""From what happens in other services to what a customer reads, over real Kafka, PostgreSQL, SMTP and HTTP."""

from datetime import UTC, datetime, timedelta

import pytest

from till_events.customer import ConsentWithdrawn
from till_events.ids import new_id
from till_events.loyalty import TierChanged
from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_an_order_on_its_way_is_told_once_by_sms_and_once_by_email_with_the_promised_time(town):
    customer_id, phone, email = town.customer_who(locale="pl-PL")
    order_id = town.order_moves(customer_id)
    assert town.outcomes(order_id) == {"sms": ("sent", None), "email": ("sent", None)}
    assert town.gateway.to(phone) == ["Twoje zamówienie S1-17 jest w drodze. Kurier będzie mniej więcej za godzinę."]
    assert [address for address, _ in town.mailbox.taken if address == email] == [email]


def test_every_message_is_kept_with_its_words_its_date_and_the_consent_it_relied_on(town):
    customer_id, phone, _ = town.customer_who()
    order_id = town.order_moves(customer_id)
    town.outcomes(order_id)
    listed = town.api().get("/v1/messages", params={"order_id": order_id}).json()["items"]
    sms = next(item for item in listed if item["channel"] == "sms")
    card = town.api().get(f"/v1/messages/{sms['message_id']}").json()
    assert card["text"] == "Your order S1-17 is on its way. The courier will be there in about an hour."
    assert card["address"] == phone
    (consent,) = town.notification.rows(
        "SELECT event_id FROM consents.consents WHERE customer_id = %s AND channel = 'sms'", [customer_id]
    )
    assert card["consent_event_id"] == consent[0]
    seen_by_auditor = town.api("auditor").get(f"/v1/messages/{sms['message_id']}").json()
    assert (seen_by_auditor["address"], seen_by_auditor["text"]) == (f"•••{phone[-3:]}", None)
    assert town.api("manager", stores=["S2"]).get(f"/v1/messages/{sms['message_id']}").status_code == 403


def test_without_consent_nothing_is_sent_and_it_is_said_why(town):
    customer_id, phone, _ = town.customer_who(agrees_to=("marketing",))
    order_id = town.order_moves(customer_id)
    assert set(town.outcomes(order_id).values()) == {("suppressed", "no_consent")}
    assert town.gateway.to(phone) == []


def test_a_consent_that_was_withdrawn_counts_no_longer_even_if_an_older_one_arrives_later(town):
    customer_id, phone, email = town.customer_who()
    for channel, address in (("sms", phone), ("email", email)):
        town.neighbours.tell(
            ConsentWithdrawn(
                occurred_at=now_utc(),
                customer_id=customer_id,
                purpose="transactional",
                channel=channel,
                address=address,
                collected_from="unsubscribe_link",
            )
        )
    withdrawn = "SELECT count(*) FROM consents.consents WHERE customer_id = %s AND NOT granted"
    eventually(lambda: town.notification.rows(withdrawn, [customer_id])[0][0] == 2)
    order_id = town.order_moves(customer_id)
    assert set(town.outcomes(order_id).values()) == {("suppressed", "no_consent")}


def test_at_night_a_message_waits_for_the_morning_and_an_urgent_one_does_not(town, zone_where_it_is):
    customer_id, phone, _ = town.customer_who(zone=zone_where_it_is(2))
    ordinary = town.order_moves(customer_id, to="assembly", from_phase="approval")
    urgent = town.order_moves(customer_id, to="cancelled")
    assert set(town.outcomes(ordinary).values()) == {("deferred", None)}
    assert set(town.outcomes(urgent).values()) == {("sent", None)}
    assert town.gateway.to(phone) == ["Your order S1-17 was cancelled. What you paid for it goes back to you."]


def test_a_gateway_that_takes_the_message_and_drops_its_answer_has_one_message_in_the_end(town):
    customer_id, phone, _ = town.customer_who()
    town.gateway.drop_answers = 2
    order_id = town.order_moves(customer_id)
    assert town.outcomes(order_id)["sms"] == ("sent", None)
    assert town.gateway.times_asked(phone) == 3
    assert len(town.gateway.to(phone)) == 1


def test_a_gateway_that_refuses_a_message_is_not_asked_again(town):
    customer_id, _, _ = town.customer_who()
    town.gateway.status = 422
    try:
        order_id = town.order_moves(customer_id)
        assert town.outcomes(order_id)["sms"] == ("failed", "sms-422")
    finally:
        town.gateway.status = 202


def test_history_that_is_brought_in_writes_to_nobody_and_is_counted(town):
    customer_id, phone, _ = town.customer_who(agrees_to=("transactional", "loyalty"))
    days = [now_utc() - timedelta(days=day) for day in range(1, 101)]
    town.neighbours.tell(*(tier_changed(customer_id, at) for at in days))
    eventually(lambda: stale_tiers(town, customer_id) == 200)
    assert town.notification.rows(
        "SELECT count(*) FROM effect JOIN messages.messages ON key = message_id AND customer_id = %s", [customer_id]
    ) == [(0,)]
    assert town.gateway.to(phone) == []


def test_two_workers_at_once_send_every_message_once(town):
    customer_id, phone, _ = town.customer_who()
    town.notification.start("worker", instance="2")
    orders = [town.order_moves(customer_id, number=f"S1-{number}") for number in range(30)]
    for order_id in orders:
        assert town.outcomes(order_id) == {"sms": ("sent", None), "email": ("sent", None)}
    assert len(town.gateway.to(phone)) == 30
    assert town.gateway.times_asked(phone) == 30


def test_rebuilding_every_read_model_sends_nothing_and_gives_the_same_rows(town):
    customer_id, phone, email = town.customer_who()

    def received():
        return town.gateway.times_asked(phone), [address for address, _ in town.mailbox.taken].count(email)

    town.outcomes(town.order_moves(customer_id))
    assert received() == (1, 1)
    rebuilt = town.notification.run("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr.decode()
    assert town.notification.verify() == dict.fromkeys(["contacts", "consents", "messages", "templates", "rules"], True)
    assert received() == (1, 1)
    # A control: the senders are awake, and what happens now is sent.
    town.outcomes(town.order_moves(customer_id))
    assert received() == (2, 2)


def tier_changed(customer_id, at):
    return TierChanged(
        occurred_at=at,
        account_id=new_id(),
        customer_id=customer_id,
        from_tier="base",
        to_tier="silver",
        spend_minor=50_000,
        currency="USD",
        window_from=at.date(),
        window_to=at.date(),
        rules_version=1,
    )


def stale_tiers(town, customer_id):
    query = "SELECT count(*) FROM messages.messages WHERE customer_id = %s AND template_id = 'tier_changed' AND reason = 'stale'"
    return town.notification.rows(query, [customer_id])[0][0]


def now_utc():
    return datetime.now(UTC)
