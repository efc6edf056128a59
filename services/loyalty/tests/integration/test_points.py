"""Points on their way through the real service: earned, asked for, spent, taken back."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from till_events.ids import CustomerId, new_id
from till_platform.testing.running import eventually

from .shop import LONG_AGO, Shop, account_of, back, once, purchase

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_who_registers_gets_a_card_and_who_buys_gets_points(shop: Shop) -> None:
    card = shop.somebody(points=300)
    told = shop.ask(card)
    assert (told["balance"], told["pending"], told["tier"], told["status"]) == (300, 0, "base", "active")
    assert told["next_expiry"]["points"] == 300
    picture = shop.till().get(f"/v1/cards/{card}.svg")
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert card in picture.text


def test_a_purchase_may_come_before_the_registration(shop: Shop) -> None:
    customer_id = CustomerId(new_id())
    shop.neighbours.tell(purchase(customer_id, 50_00, at=datetime.now(UTC)))
    told = shop.ask(shop.card_of(customer_id, 50))
    assert (told["balance"], told["pending"]) == (0, 50)
    assert told["next_available"]["points"] == 50


def test_a_card_the_customer_brought_along_opens_the_account(shop: Shop) -> None:
    card = shop.somebody(card_numbers=("2912345678906", "5901234123457"))
    assert card == "2912345678906"


def test_a_purchase_that_names_only_the_card_earns_and_its_return_takes_back(shop: Shop) -> None:
    card = shop.somebody(points=100)
    customer_id = shop.ask(card)["customer_id"]
    bought = purchase(None, 70_00, card=card)
    shop.neighbours.tell(bought)
    assert shop.card_of(customer_id, 170) == card
    shop.neighbours.tell(back(bought, [("cash", 70_00)]))
    assert shop.card_of(customer_id, 100) == card


def test_fifty_tills_want_the_whole_balance_at_once_and_one_gets_it(shop: Shop) -> None:
    card = shop.somebody(points=500)
    with ThreadPoolExecutor(50) as tills:
        answers = list(tills.map(lambda _: shop.hold(card, 500), range(50)))
    held = [answer for answer in answers if answer.status_code == 201]
    refused = [answer.json() for answer in answers if answer.status_code != 201]
    assert len(held) == 1
    assert {(problem["type"].rpartition("/")[2], problem["available"]) for problem in refused} == {
        ("not-enough-points", 0)
    }
    eventually(lambda: shop.ask(card)["held"] == 500)
    assert shop.ask(card)["balance"] == 0


def test_fifty_tills_want_a_little_each_and_all_get_it(shop: Shop) -> None:
    card = shop.somebody(points=500)
    with ThreadPoolExecutor(50) as tills:
        answers = list(tills.map(lambda _: shop.hold(card, 10), range(50)))
    assert [answer.status_code for answer in answers] == [201] * 50
    eventually(lambda: shop.ask(card)["held"] == 500)


def test_held_points_pay_for_a_sale_and_come_back_with_its_goods(shop: Shop) -> None:
    card = shop.somebody(points=500)
    customer_id = CustomerId(shop.ask(card)["customer_id"])
    held = shop.hold(card, 200).json()
    sale = purchase(customer_id, 200, paid=[("points", 200)])
    at = f"/v1/accounts/{held['account_id']}/holds/{held['hold_id']}"
    captured = shop.till().post(f"{at}/capture", json={"purchase_id": sale.purchase_id}, headers=once())
    assert (captured.status_code, captured.json()["state"]) == (200, "captured")
    eventually(lambda: shop.ask(card)["balance"] == 300)
    assert shop.till().post(f"{at}/release", headers=once()).json()["type"].endswith("/hold-settled")

    shop.neighbours.tell(sale, back(sale, [("points", 200)]))
    eventually(lambda: shop.ask(card)["balance"] == 500)
    entries = shop.till().get(f"/v1/accounts/{held['account_id']}/ledger").json()["items"]
    assert [entry["kind"] for entry in entries][:5] == [
        "restored",
        "returned-without-points",
        "accrued",
        "redeemed",
        "held",
    ]
    assert entries[0]["balance"] == 500 == sum(entry["points"] for entry in entries)


def test_a_command_sent_twice_is_done_once(shop: Shop) -> None:
    card = shop.somebody(points=100)
    key = new_id()
    first, again = shop.hold(card, 60, key=key), shop.hold(card, 60, key=key)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert shop.hold(card, 61, key=key).json()["type"].endswith("/idempotency-key-reused")
    assert shop.hold(card, 41).json()["available"] == 40


def test_the_till_is_answered_from_the_cache_and_without_it(shop: Shop) -> None:
    card = shop.somebody(points=100)
    told = shop.ask(card)
    (key,) = shop.cache.keys(f"*:loyalty:card:{card}")
    cached = shop.cache.get(key)
    assert json.loads(cached.split(b" ", 2)[2]) == told

    shop.cache.set(key, cached.replace(b'"balance":100', b'"balance":777'))
    assert shop.ask(card)["balance"] == 777, "the cache is really asked"
    shop.cache.flushall()
    assert shop.ask(card) == told

    shop.hold(card, 30)
    eventually(lambda: shop.ask(card)["balance"] == 70)
    # the first who asks an emptied cache only starts its new era: the second one's answer is kept
    assert json.loads(shop.cache.get(key).split(b" ", 2)[2])["balance"] == 70


def test_points_given_by_hand_are_in_the_ledger_with_who_and_why(shop: Shop) -> None:
    card = shop.somebody()
    account = shop.ask(card)["account_id"]
    body = {"points": 25, "reason": "late delivery", "comment": "Anna waited long"}
    manager = shop.staff("manager", "s1")
    given = manager.post(f"/v1/accounts/{account}/adjustments", json=body, headers=once())
    assert (given.status_code, given.json()["balance"]) == (201, 25)
    shop.card_of(shop.ask(card)["customer_id"], 25)
    entry = manager.get(f"/v1/accounts/{account}/ledger").json()["items"][0]
    assert (entry["kind"], entry["points"], entry["actor"]) == ("adjusted", 25, "manager:test")
    assert entry["details"] == {"reason": "late delivery", "comment": "Anna waited long"}
    seen_by_others = shop.staff("analyst").get(f"/v1/accounts/{account}/ledger").json()["items"][0]
    assert seen_by_others["details"] == {"reason": "late delivery"}


def test_the_balance_of_any_time_is_known(shop: Shop) -> None:
    card = shop.somebody(points=100)
    account = shop.ask(card)["account_id"]

    def at(moment: str) -> tuple[int, int]:
        found = shop.till().get(f"/v1/accounts/{account}/balance", params={"at": moment}).json()
        return found["balance"], found["pending"]

    assert at("1999-01-01T00:00:00Z") == (0, 0)
    assert at(LONG_AGO.isoformat()) == (0, 100)
    assert at(datetime.now(UTC).isoformat()) == (100, 0)
    assert at("2150-01-01T00:00:00+02:00") == (0, 0)


def test_a_lost_card_is_blocked_and_another_one_given(shop: Shop) -> None:
    card = shop.somebody(points=100)
    account = shop.ask(card)["account_id"]
    assert shop.till().post(f"/v1/cards/{card}/block", json={"reason": "lost"}, headers=once()).status_code == 200
    assert shop.hold(card, 1).json()["type"].endswith("/card-blocked")
    eventually(lambda: shop.ask(card)["status"] == "blocked")
    given = shop.staff("manager").post(f"/v1/accounts/{account}/cards", headers=once())
    new_card = given.json()["cards"][-1]["card_number"]
    assert given.status_code == 201
    assert new_card != card
    assert shop.hold(new_card, 100).status_code == 201


def test_the_service_survives_being_killed_in_the_middle_of_an_import(shop: Shop) -> None:
    customers = [CustomerId(new_id()) for _ in range(50)]
    purchases = [purchase(customers[number % 50], 10_00) for number in range(2_000)]
    shop.neighbours.tell(*purchases[:1_000])
    shop.loyalty.kill()
    shop.neighbours.tell(*purchases[1_000:])
    shop.loyalty.start()
    for customer_id in customers:
        shop.card_of(customer_id, 400)
    accounts = [account_of(customer_id) for customer_id in customers]
    query = "SELECT count(*), sum(points) FROM lots.lots WHERE account_id = ANY(%s)"
    assert shop.loyalty.rows(query, [accounts]) == [(2_000, 20_000)]


def test_every_read_model_equals_its_rebuild(shop: Shop) -> None:
    assert shop.loyalty.verify() == dict.fromkeys(("accounts", "lots", "holds", "ledgers"), True)
    assert shop.loyalty.rows("SELECT count(*) FROM dead_letter") == [(0,)]
