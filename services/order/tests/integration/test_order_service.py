import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest

from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def receipt(number, *, paid=(1_000, 50), **changes):
    total = sum(paid)
    return {
        "store_id": "s-1",
        "till_id": "1",
        "receipt_number": str(number),
        "occurred_at": "2026-01-05T03:00:00-05:00",
        "total_minor": total,
        "lines": [
            {"line_id": index, "product_id": f"p-{index}", "quantity": "3", "paid_minor": amount}
            for index, amount in enumerate(paid)
        ],
        "tenders": [{"method": "card", "amount_minor": total}],
        **changes,
    }


def slip(number, quantity="1"):
    return {"store_id": "s-1", "till_id": "1", "return_number": number, "lines": [{"line_id": 0, "quantity": quantity}]}


def order(external_id=None, **changes):
    return {
        "store_id": "s-1",
        "customer_id": "c-1",
        "external_id": external_id or uuid4().hex,
        "lines": [{"line_id": 1, "product_id": "p-1", "quantity": 2, "paid_minor": 2_000}],
        "delivery": {"method": "courier", "address": "12 Elm Street", "cost_minor": 300},
        **changes,
    }


def settled(shop):
    """Everything the log holds is in the read models."""
    last = shop.service.rows("SELECT max(position) FROM log WHERE public")[0][0]
    eventually(lambda: shop.service.rows("SELECT max(last_position) FROM checkpoint")[0][0] == last)


def test_an_order_walks_from_placement_to_return(shop):
    placed = shop.post("/v1/orders", order("web-1"))
    assert (placed.status_code, placed.headers["ETag"]) == (201, '"1"')
    path = f"/v1/orders/{placed.json()['order_id']}"
    assert (
        shop.post(f"{path}/payments", {"payment_id": "a", "method": "card", "amount_minor": 1_500}).status_code == 201
    )
    promise = {"promised_from": "2026-11-22T10:00:00Z", "promised_to": "2026-11-22T11:00:00Z"}
    for status in ("approval", "assembly", "delivery"):
        moved = shop.post(f"{path}/status", {"status": status, **promise})
        assert (moved.json()["status"], moved.json()["payment"]) == (status, "partially_paid")
    unpaid = shop.post(f"{path}/status", {"status": "completed"})
    assert (unpaid.status_code, unpaid.json()["due_minor"]) == (409, 800)
    door = {"payment_id": "door", "method": "cash", "amount_minor": 800}
    done = shop.post(f"{path}/status", {"status": "completed", "payment": door}).json()
    assert (done["phase"], done["payment"], done["due_minor"]) == ("completed", "paid", 0)

    purchase = shop.get(f"/v1/receipts/{done['purchase_id']}").json()
    assert (purchase["order_id"], purchase["till_id"], purchase["receipt_number"]) == (
        done["order_id"],
        "orders",
        done["number"],
    )
    assert sum(line["paid_minor"] for line in purchase["lines"]) == purchase["total_minor"] == 2_300
    assert {tender["method"]: tender["amount_minor"] for tender in purchase["tenders"]} == {"card": 1_500, "cash": 800}

    half = {**slip("r-1"), "lines": [{"line_id": 1, "quantity": 1}]}
    assert shop.post(f"/v1/receipts/{done['purchase_id']}/returns", half).json()["returned_minor"] == 1_000
    assert shop.get(path).json()["payment"] == "partially_refunded"
    back = shop.post(f"{path}/status", {"status": "returned", "reason": "unwanted"}).json()
    assert (back["phase"], back["payment"], back["paid_minor"]) == ("returned", "refunded", 0)
    purchase = shop.get(f"/v1/receipts/{done['purchase_id']}").json()
    assert (purchase["returned_minor"], purchase["returnable"]) == (2_300, [])

    settled(shop)
    (row,) = shop.get("/v1/orders", phase="returned").json()["items"]
    assert (row["order_id"], row["payment"], row["promised_to"]) == (
        done["order_id"],
        "refunded",
        "2026-11-22T11:00:00Z",
    )
    happenings = shop.get(f"{path}/history").json()
    assert [step["status"] for step in happenings if step["status"]] == [step["to_status"] for step in back["history"]]
    assert {step["actor"] for step in happenings} == {"admin:test"}
    first = shop.get(path, version=1).json()
    assert (first["status"], first["paid_minor"]) == ("new", 0)


def test_a_cancelled_order_gives_back_what_was_paid(shop):
    path = f"/v1/orders/{shop.post('/v1/orders', order()).json()['order_id']}"
    shop.post(f"{path}/payments", {"payment_id": "a", "method": "card", "amount_minor": 500})
    cancelled = shop.post(f"{path}/status", {"status": "cancelled"}).json()
    assert (cancelled["payment"], cancelled["refunded_minor"]) == ("refunded", 500)
    refused = shop.post(f"{path}/status", {"status": "approval"})
    assert (refused.status_code, refused.json()["legal"]) == (409, [])


def test_only_the_version_that_was_seen_is_changed(shop):
    path = f"/v1/orders/{shop.post('/v1/orders', order()).json()['order_id']}"
    fewer = {"lines": [{"line_id": 1, "product_id": "p-1", "quantity": 1, "paid_minor": 1_000}]}
    assert shop.patch(path, fewer, version=1).json()["total_minor"] == 1_300
    assert shop.patch(path, fewer, version=1).status_code == 412


def test_the_web_shops_own_id_makes_a_repeated_order_harmless(shop):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.post("/v1/orders", order("web-9")), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert shop.post("/v1/orders", order("web-9", comment="other")).status_code == 409


def test_each_line_of_a_list_of_receipts_is_answered(shop):
    lines = [
        json.dumps(receipt("b-1")),
        json.dumps(receipt("b-1")),
        json.dumps(receipt("b-1", paid=(999,))),
        json.dumps(receipt("b-2") | {"total_minor": 1}),
        json.dumps(receipt("b-3", store_id="nowhere")),
        "{rubbish",
        json.dumps(
            receipt("b-4") | {"lines": [{"line_id": 1, "product_id": "p", "quantity": "0", "paid_minor": 1_050}]}
        ),
        json.dumps(receipt("b-5") | {"discuont": 1}),
        json.dumps(receipt("b-6", occurred_at="2099-01-01T00:00:00Z")),
    ]
    answers = [json.loads(answer) for answer in shop.send_lines("/v1/receipts:batch", "\n".join(lines))]
    assert [(answer["line"], answer["status"]) for answer in answers] == list(
        enumerate(
            [
                "recorded",
                "repeated",
                "conflict",
                "rejected",
                "rejected",
                "rejected",
                "recorded",
                "rejected",
                "rejected",
            ],
            1,
        )
    )
    codes = [answer["problem"]["type"].rpartition("/")[2] for answer in answers if "problem" in answer]
    assert codes == [
        "receipt-conflict",
        "totals-do-not-match",
        "unknown-store",
        "unreadable-line",
        "unreadable-line",
        "invalid",
    ]
    again = [json.loads(answer)["status"] for answer in shop.send_lines("/v1/receipts:batch", "\n".join(lines[:3]))]
    assert again == ["repeated", "repeated", "conflict"]


def test_a_till_reaches_only_its_own_store(shop):
    assert shop.post("/v1/receipts", receipt("c-1"), roles=["cashier"], stores=["s-2"]).status_code == 403
    (answer,) = shop.send_lines("/v1/receipts:batch", json.dumps(receipt("c-1")), roles=["cashier"], stores=["s-2"])
    assert json.loads(answer)["problem"]["type"].endswith("forbidden")
    assert shop.post("/v1/receipts", receipt("c-1"), roles=["analyst"]).status_code == 403
    purchase_id = shop.post("/v1/receipts", receipt("c-1"), roles=["cashier"], stores=["s-1"]).json()["purchase_id"]
    assert shop.get(f"/v1/receipts/{purchase_id}", roles=["manager"], stores=["s-2"]).status_code == 403
    elsewhere = slip("c-2") | {"store_id": "s-2"}
    path = f"/v1/receipts/{purchase_id}/returns"
    assert shop.post(path, elsewhere, roles=["cashier"], stores=["s-2"]).status_code == 403
    assert shop.get("/v1/receipts", roles=["cashier"], stores=["s-2"]).json()["items"] == []


def test_who_does_not_deal_with_customers_does_not_read_their_addresses(shop):
    path = f"/v1/orders/{shop.post('/v1/orders', order(comment='ring twice')).json()['order_id']}"
    seen = shop.get(path, roles=["manager"], stores=["s-1"]).json()
    assert (seen["delivery"]["address"], seen["comment"]) == ("12 Elm Street", "ring twice")
    seen = shop.get(path, roles=["analyst"]).json()
    assert (seen["delivery"]["address"], seen["comment"]) == (None, None)


def test_one_receipt_sent_twenty_times_at_once_is_recorded_once(shop):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: shop.post("/v1/receipts", receipt("d-1"), key="same-key"), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    (purchase_id,) = {answer.json()["purchase_id"] for answer in answers}
    assert shop.service.rows("SELECT count(*) FROM log WHERE stream = %s", [f"receipt-{purchase_id}"]) == [(1,)]


def test_tills_that_take_back_the_same_goods_at_once_give_back_no_more_than_was_bought(shop):
    purchase_id = shop.post("/v1/receipts", receipt("e-1")).json()["purchase_id"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: shop.post(f"/v1/receipts/{purchase_id}/returns", slip(f"e-{n}")), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    card = shop.get(f"/v1/receipts/{purchase_id}").json()
    assert (card["returned_minor"], [line["line_id"] for line in card["returnable"]]) == (1_000, [1])


def test_a_return_slip_cannot_be_used_for_two_receipts(shop):
    one, other = (shop.post("/v1/receipts", receipt(f"f-{n}")).json()["purchase_id"] for n in (1, 2))
    assert shop.post(f"/v1/receipts/{one}/returns", slip("f")).status_code == 201
    assert shop.post(f"/v1/receipts/{one}/returns", slip("f")).status_code == 200
    refused = shop.post(f"/v1/receipts/{other}/returns", slip("f"))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "return-conflict")


def test_a_manager_gives_back_without_a_receipt_only_up_to_the_limit(shop):
    def goods(number, refund):
        line = {"product_id": "p", "quantity": 1, "refund_minor": refund}
        return {
            "store_id": "s-1",
            "till_id": "1",
            "return_number": number,
            "lines": [line],
            "refunds": [{"method": "cash", "amount_minor": refund}],
        }

    manager = {"roles": ["manager"], "stores": ["s-1"]}
    assert shop.post("/v1/returns", goods("g-1", 500), roles=["cashier"], stores=["s-1"]).status_code == 403
    assert shop.post("/v1/returns", goods("g-1", 500), **manager).status_code == 201
    assert shop.post("/v1/returns", goods("g-1", 500), **manager).status_code == 200
    refused = shop.post("/v1/returns", goods("g-2", 20_001), **manager)
    assert (refused.status_code, refused.json()["limit_minor"]) == (403, 20_000)


def test_products_are_taken_over_in_bulk(shop):
    products = [{"product_id": f"q-{n:05}", "name": f"Milk no. {n}", "department": "DAIRY"} for n in range(2_500)]
    lines = "\n".join(json.dumps(product) for product in products)
    assert {json.loads(a)["status"] for a in shop.send_lines("/v1/products:batch", lines)} == {"listed"}
    products[7]["name"] = "Oat drink"
    lines = "\n".join(json.dumps(product) for product in products)
    answers = [json.loads(a)["status"] for a in shop.send_lines("/v1/products:batch", lines)]
    assert (answers[7], set(answers[:7] + answers[8:])) == ("changed", {"repeated"})
    settled(shop)
    (found,) = shop.get("/v1/products", q="OAT", department="DAIRY").json()["items"]
    assert found["product_id"] == "q-00007"


def test_a_workflow_of_the_chains_own_is_followed(shop):
    statuses = [
        {"status": "ordered", "phase": "new", "name": "Ordered"},
        {"status": "sold", "phase": "completed", "name": "Sold"},
    ]
    way = {"from_status": "ordered", "to_status": "sold"}
    kiosk = {"statuses": statuses, "transitions": [way], "initial": "ordered"}
    assert shop.post("/v1/workflows/kiosk", kiosk, roles=["manager"], stores="*").status_code == 403
    assert shop.post("/v1/workflows/kiosk", {**kiosk, "transitions": []}).json()["faults"]
    assert shop.post("/v1/workflows/kiosk", kiosk).status_code == 201
    placed = shop.post("/v1/orders", order(workflow_id="kiosk", delivery=None)).json()
    refused = shop.post(f"/v1/orders/{placed['order_id']}/status", {"status": "approval"})
    assert refused.json()["legal"] == ["sold"]


def test_a_power_cut_loses_nothing_and_read_models_equal_their_rebuild(shop):
    sold = [json.dumps(receipt(f"h-{number}", paid=(number,))) for number in range(1, 1_501)]
    assert {json.loads(answer)["status"] for answer in shop.send_lines("/v1/receipts:batch", "\n".join(sold))} == {
        "recorded"
    }
    shop.service.kill()
    shop.service.start()
    answers = [json.loads(answer)["status"] for answer in shop.send_lines("/v1/receipts:batch", "\n".join(sold))]
    assert answers == ["repeated"] * 1_500
    settled(shop)
    query = "SELECT count(*), sum(total_minor) FROM receipts.receipts WHERE receipt_number LIKE 'h-%%'"
    assert shop.service.rows(query, ()) == [(1_500, Decimal(1_500 * 1_501 // 2))]
    assert shop.service.verify() == dict.fromkeys(("stores", "products", "cards", "receipts", "order_cards"), True)
    assert shop.service.rows("SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_list_can_be_turned_page_by_page(shop):
    settled(shop)
    seen, cursor = [], None
    while True:
        page = shop.get("/v1/receipts", store_id="s-1", limit=200, **({"cursor": cursor} if cursor else {})).json()
        seen += [row["purchase_id"] for row in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == shop.service.rows("SELECT count(*) FROM receipts.receipts")[0][0]
