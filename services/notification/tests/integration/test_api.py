"""The routes, as callers use and misuse them."""

import pytest

from till_events.ids import new_id
from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WORDS = {"template_id": "parcel", "channel": "sms", "locale": "en", "text": "Order {{ number }} is in the locker."}
RULE = {
    "rule_id": "in-the-locker",
    "on": "OrderStatusChanged",
    "status": "in-the-locker",
    "template_id": "parcel",
    "channels": ["sms"],
    "purpose": "transactional",
    "stale_after_minutes": 60,
}


def post(client, path, body, *, key=None):
    return client.post(path, json=body, headers={"Idempotency-Key": key or new_id()})


def test_a_chain_says_something_of_its_own_about_a_status_of_its_own(town):
    admin = town.api()
    refused = post(admin, "/v1/rules", RULE)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (422, "no-words")
    assert post(admin, "/v1/templates", WORDS).json()["version"] == 1
    key = new_id()
    assert post(admin, "/v1/rules", RULE, key=key).json()["version"] == 1
    repeated = post(admin, "/v1/rules", RULE, key=key)
    assert (repeated.status_code, repeated.headers["Idempotent-Replayed"]) == (201, "true")
    assert post(admin, "/v1/rules", {**RULE, "urgent": True}, key=key).status_code == 422
    customer_id, phone, _ = town.customer_who()
    town.order_moves(customer_id, to="in-the-locker", to_phase="delivery")
    eventually(lambda: town.gateway.to(phone) == ["Order S1-17 is in the locker."])
    shown = eventually(lambda: admin.get("/v1/templates/parcel").json()["items"])
    assert [(item["version"], item["text"]) for item in shown] == [(1, WORDS["text"])]
    assert "in-the-locker" in [rule["rule_id"] for rule in admin.get("/v1/rules").json()["items"]]


def test_words_that_cannot_be_sent_are_refused_before_they_are_published(town):
    admin = town.api()
    for body in (
        {**WORDS, "text": "{{ nmae }}"},
        {**WORDS, "text": "{% for i in range(9) %}x{% endfor %}"},
        {**WORDS, "subject": "An SMS has none"},
        {**WORDS, "channel": "pigeon"},
        {**WORDS, "locale": "klingon!"},
        {**WORDS, "extra": 1},
        {},
    ):
        refused = post(admin, "/v1/templates", body)
        assert refused.status_code == 422, refused.text
        assert refused.headers["Content-Type"] == "application/problem+json"
    tier = {**WORDS, "template_id": "tier_changed", "text": "Order {{ number }}"}
    assert post(admin, "/v1/templates", tier).json()["known"] == ["from_tier", "name", "tier"]


def test_words_are_shown_before_they_are_published(town):
    draft = {"channel": "sms", "locale": "ru", "text": "{{ name }}, курьер будет {{ promised }}."}
    shown = town.api("analyst").post("/v1/templates:preview", json={**draft, "values": {"name": "Олег"}})
    assert shown.json() == {"text": "Олег, курьер будет примерно через час.", "subject": None, "characters": 38}


def test_one_message_by_hand_goes_to_who_agreed_to_be_advertised_to(town):
    customer_id, phone, _ = town.customer_who(agrees_to=("marketing",))
    manager = town.api("manager", stores=["S1"])
    path, body = (
        f"/v1/customers/{customer_id}/messages",
        {"template_id": "greeting", "channel": "sms", "store_id": "S1"},
    )
    asked = post(manager, path, body)
    assert asked.status_code == 202
    eventually(lambda: town.gateway.to(phone) == ["Anna Kowalska, we would be glad to see you again."])
    card = eventually(lambda: manager.get(f"/v1/messages/{asked.json()['message_id']}").json())
    assert (card["purpose"], card["rule_id"], card["store_id"]) == ("marketing", "personal", "S1")
    assert post(manager, path, {**body, "store_id": "S2"}).status_code == 403
    assert post(manager, path, {**body, "store_id": None}).status_code == 403
    assert post(manager, "/v1/customers/nobody/messages", body).status_code == 404
    assert post(manager, path, {**body, "template_id": "order_delivery"}).status_code == 422
    assert post(town.api("cashier"), path, body).status_code == 403


def test_messages_are_listed_page_by_page_and_counted_by_outcome_and_reason(town):
    customer_id, _, _ = town.customer_who(agrees_to=("marketing",))
    for order_id in [town.order_moves(customer_id) for _ in range(3)]:
        town.outcomes(order_id)
    client = town.api("analyst")
    first = client.get("/v1/messages", params={"customer_id": customer_id, "outcome": "suppressed", "limit": 4}).json()
    second = client.get(
        "/v1/messages",
        params={"customer_id": customer_id, "outcome": "suppressed", "limit": 4, "cursor": first["next_cursor"]},
    ).json()
    found = [item["message_id"] for item in (*first["items"], *second["items"])]
    assert len(found) == len(set(found)) == 6 + 2  # the welcome of a month ago is among them, stale
    assert second["next_cursor"] is None
    summary = client.get("/v1/messages:summary").json()
    assert summary["messages"] == sum(count["messages"] for count in summary["counts"])
    assert {"no_consent"} <= {count["reason"] for count in summary["counts"]}


@pytest.mark.parametrize(
    ("method", "path", "roles", "status"),
    [
        ("GET", "/v1/messages/nothing", ("admin",), 404),
        ("GET", "/v1/templates/nothing", ("admin",), 404),
        ("GET", "/v1/messages?outcome=eaten", ("admin",), 422),
        ("GET", "/v1/messages?cursor=rubbish", ("admin",), 400),
        ("POST", "/v1/templates", ("cashier",), 403),
        ("POST", "/v1/rules", ("auditor",), 403),
        ("DELETE", "/v1/rules", ("admin",), 405),
    ],
)
def test_what_makes_no_sense_or_is_not_allowed_is_refused_with_a_problem(town, method, path, roles, status):
    answer = town.api(*roles).request(method, path, headers={"Idempotency-Key": new_id()}, json={})
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
