"""What the service does not let itself be told."""

from typing import Any

import pytest

from till_events.ids import new_id

from .shop import Shop, once

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

RULES: dict[str, Any] = {
    "name": "Club",
    "effective_from": "2199-01-01T00:00:00Z",
    "currency": "PLN",
    "zone": "Europe/Warsaw",
    "tiers": [{"tier": "base", "threshold_minor": 0, "earn_minor_per_point": 400}],
    "tier_window_days": 365,
    "pending_days": 14,
    "validity_days": 365,
    "point_value_minor": 1,
    "return_policy": "within_balance",
    "hold_minutes": 15,
}


@pytest.fixture(scope="module")
def card(shop: Shop) -> str:
    return shop.somebody(points=100)


@pytest.mark.parametrize(
    "number", ["2000000000008", "123", "x" * 13, "%00", "1234567890123456789", "２０００００００００００８"]
)
def test_a_number_that_is_nobodys_card_is_not_found(shop: Shop, number: str) -> None:
    for path in (f"/v1/cards/{number}", f"/v1/cards/{number}.svg"):
        assert shop.till().get(path).status_code in {404, 422}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"points": 0, "store_id": "s1"},
        {"points": -5, "store_id": "s1"},
        {"points": 1.5, "store_id": "s1"},
        {"points": "7", "store_id": "s1"},
        {"points": 10**30, "store_id": "s1"},
        {"points": 1, "store_id": "s1\x00"},
        {"points": 1, "store_id": "s1", "value_minor": 99},
        {"points": None, "store_id": "s1"},
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(shop: Shop, card: str, body: dict[str, Any]) -> None:
    answer = shop.till().post(f"/v1/cards/{card}/holds", json=body, headers=once())
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "invalid")


def test_rubbish_is_refused_politely(shop: Shop, card: str) -> None:
    for content in (b"", b"{", b"[]", b"\xff\xfe", b'{"points": NaN}', b"[" * 100_000):
        answer = shop.till().post(
            f"/v1/cards/{card}/holds", content=content, headers={**once(), "Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 422}, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_till_spends_only_in_its_own_store(shop: Shop, card: str) -> None:
    answer = shop.till("s1").post(f"/v1/cards/{card}/holds", json={"points": 1, "store_id": "s2"}, headers=once())
    assert answer.status_code == 403
    held = shop.hold(card, 1, store="s2").json()
    for move in ("capture", "release"):
        settled = shop.till("s1").post(
            f"/v1/accounts/{held['account_id']}/holds/{held['hold_id']}/{move}",
            headers=once(),
            **({"json": {}} if move == "capture" else {}),
        )
        assert settled.status_code == 403


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("analyst", "POST", "/v1/cards/{card}/holds"),
        ("marketer", "POST", "/v1/cards/{card}/block"),
        ("cashier", "POST", "/v1/accounts/a/adjustments"),
        ("cashier", "POST", "/v1/accounts/a/cards"),
        ("cashier", "POST", "/v1/accounts/a/holds/h/restore"),
        ("manager", "POST", "/v1/programmes/main/rules"),
    ],
)
def test_roles_do_what_is_theirs(shop: Shop, card: str, role: str, method: str, path: str) -> None:
    answer = shop.staff(role, "s1").request(method, path.format(card=card), json={}, headers=once())
    assert answer.status_code == 403, answer.text


def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    client = shop.staff("admin")
    assert client.get("/v1/accounts/nobody").json()["type"].endswith("/unknown-account")
    assert client.get("/v1/accounts/nobody/ledger").status_code == 404
    assert client.get("/v1/programmes/other").json()["type"].endswith("/unknown-programme")
    assert client.get("/v1/accounts", params={"customer_id": "nobody"}).json()["items"] == []
    answer = client.post("/v1/accounts/nobody/holds/h/release", headers=once())
    assert answer.json()["type"].endswith("/unknown-account")


def test_taking_more_by_hand_than_there_is_is_refused(shop: Shop, card: str) -> None:
    account = shop.ask(card)["account_id"]
    body = {"points": -1_000, "reason": "mistake"}
    answer = shop.staff("admin").post(f"/v1/accounts/{account}/adjustments", json=body, headers=once())
    assert (answer.status_code, answer.json()["asked"]) == (409, 1_000)


def test_rules_are_published_for_a_time_to_come_and_nonsense_is_named(shop: Shop) -> None:
    marketer = shop.staff("marketer")
    before = marketer.get("/v1/programmes/main").json()
    published = marketer.post("/v1/programmes/main/rules", json=RULES, headers=once(new_id()))
    assert published.status_code == 201, published.text
    assert published.json()["in_force"] == before["in_force"]
    assert published.json()["versions"][0]["zone"] == "Europe/Warsaw"
    for change in (
        {"zone": "Mars"},
        {"validity_days": 14},
        {"return_policy": "x"},
        {"tiers": []},
        {"pending_days": 1.5},
    ):
        refused = marketer.post("/v1/programmes/main/rules", json={**RULES, **change}, headers=once())
        assert refused.status_code == 422
        (field,) = change
        assert field in refused.text
