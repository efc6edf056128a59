"""Customers over HTTP: registered, changed, found, and never shown to those who have no business with them."""

from datetime import UTC, datetime

import pytest

from till_events.ids import new_id
from till_events.order import StoreOpened
from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_customer_is_registered_once_however_often_it_is_sent(town) -> None:
    key, body = new_id(), {"name": "Jan Kos", "phones": ["601 000 001"], "external_id": "1C-1"}
    answers = [town.post("/v1/customers", body, key=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["phones"] == ["+48601000001"]
    assert answers[2].headers["Idempotent-Replayed"] == "true"
    assert town.post("/v1/customers", {**body, "name": "Other"}, key=key).status_code == 422
    again = town.post("/v1/customers", body)
    assert (again.status_code, again.json()["version"]) == (201, 1)
    assert again.json()["customer_id"] == answers[0].json()["customer_id"]
    other = town.post("/v1/customers", {**body, "name": "Other"})
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (409, "customer-already-registered")
    assert other.json()["customer_id"] == answers[0].json()["customer_id"]


def test_a_change_names_its_version_and_only_real_changes_count(town) -> None:
    anna = town.register(phones=["601000002"])
    path = f"/v1/customers/{anna['customer_id']}"
    client = town.client("cashier", stores=["s1"])
    assert client.get(path).headers["ETag"] == '"1"'
    assert client.patch(path, json={"name": "Anna Kos"}).status_code == 428
    changed = client.patch(path, json={"name": "Anna Kos"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"], changed.json()["name"]) == (200, '"2"', "Anna Kos")
    assert changed.json()["phones"] == ["+48601000002"]
    assert client.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'}).status_code == 412
    same = client.patch(path, json={"name": "Anna  Kos"}, headers={"If-Match": '"2"'})
    assert same.headers["ETag"] == '"2"'
    assert client.patch(path, json={"store_id": "s2"}, headers={"If-Match": '"2"'}).status_code == 403


def test_a_customer_is_found_by_everything_that_can_be_asked_for_at_a_counter(town) -> None:
    ivan = town.register(
        name="Иванов Иван",
        phones=["+7 916 123-45-67"],
        emails=["Ivan@Example.com"],
        card_numbers=["2000000000107"],
        external_id="1C-ivanov",
    )["customer_id"]
    town.heard_of(ivan)
    for criterion in (
        {"phone": "+79161234567"},
        {"phone": "8 (916) 123-45-67", "country": "RU"},
        {"email": "IVAN@example.com"},
        {"card": "2000 0000 00107"},
        {"external_id": "1C-ivanov"},
        {"name": "Иванов"},
        {"name": "ivanov"},
        {"name": "Iwanow Iwan"},
        {"name": "иван ив"},
    ):
        assert ivan in town.found(**criterion), criterion
    # A plus that was not encoded arrives as a space.
    assert [row["customer_id"] for row in town.client().get("/v1/customers?phone=+79161234567").json()["items"]] == [
        ivan
    ]
    for criterion in ({"phone": "+79161234568"}, {"name": "Kowalski"}, {"card": "2000000000108"}, {"email": "x@y.pl"}):
        assert ivan not in town.found(**criterion)


def test_the_likest_names_come_first_and_pages_hold_everybody_once(town) -> None:
    names = ["Zbigniew Brzoza", "Zbigniew Brzozowski", "Zbigniewa Brzozowska", "Zbyszek Brzoza"]
    ids = [town.register(name=name)["customer_id"] for name in names]
    for customer_id in ids:
        town.heard_of(customer_id)
    client, seen, cursor = town.client(), [], None
    while True:
        query = {"name": "zbigniew brzoza", "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/customers", params=query).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen[0]["customer_id"] == ids[0]
    assert len({row["customer_id"] for row in seen}) == len(seen) >= 3
    assert [row["likeness"] for row in seen] == sorted((row["likeness"] for row in seen), reverse=True)


def test_a_household_may_share_a_phone_and_is_told_so_but_a_card_has_one_owner(town) -> None:
    first = town.register(name="Ewa Lis", phones=["601000003"], card_numbers=["2000000000206"])["customer_id"]
    town.heard_of(first)
    second = town.register(name="Adam Lis", phones=["601-000-003"])
    assert second["possible_duplicates"] == [first]
    taken = town.post("/v1/customers", {"name": "Obcy", "card_numbers": ["2000000000206"]})
    assert (taken.status_code, taken.json()["type"].rpartition("/")[2]) == (409, "identifier-taken")
    assert taken.json()["customer_id"] == first


def test_the_shop_tells_the_country_of_a_phone_and_the_zone_of_its_customers(town) -> None:
    town.others.tell(
        StoreOpened(
            occurred_at=datetime.now(UTC),
            store_id="berlin",
            name="Berlin",
            zone="Europe/Berlin",
            currency="EUR",
            country="DE",
        )
    )
    eventually(lambda: town.service.rows("SELECT 1 FROM stores.stores WHERE store_id = 'berlin'"))
    cashier = town.client("cashier", stores=["berlin"])
    customer = town.register(cashier, phones=["030 123456"], store_id="berlin")
    assert (customer["phones"], customer["zone"]) == (["+4930123456"], "Europe/Berlin")
    assert town.post("/v1/customers", {"name": "A", "store_id": "s1"}, client=cashier).status_code == 403


def test_those_who_only_count_see_no_names_phones_or_addresses(town) -> None:
    anna = town.register(
        name="Zofia Wrona", phones=["601000004"], emails=["zofia@example.com"], birth_date="1990-05-04"
    )
    path = f"/v1/customers/{anna['customer_id']}"
    town.post(
        f"{path}/consents",
        {"purpose": "marketing", "channel": "sms", "wording": "1", "collected_from": "till"},
    )
    for role in ("analyst", "auditor"):
        client = town.client(role)
        for shown in (client.get(path), client.get(f"{path}/360"), client.get(f"{path}/consents")):
            assert shown.status_code == 200
            for secret in ("Zofia", "601000004", "zofia@", "1990"):
                assert secret not in shown.text
        assert client.get("/v1/customers", params={"phone": "601000004"}).status_code == 403
        assert client.patch(path, json={"name": "X"}, headers={"If-Match": '"1"'}).status_code == 403
        assert town.post("/v1/customers", {"name": "X"}, client=client).status_code == 403
    assert "Zofia" in town.client("marketer").get(path).text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "A", "phones": ["12"]},
        {"name": "A", "phones": "601"},
        {"name": "A", "emails": ["x"]},
        {"name": "A\x00"},
        {"name": "A", "locale": "?"},
        {"name": "A", "zone": "Mars/Phobos"},
        {"name": "A", "birth_date": "tomorrow"},
        {"name": "A", "customer_id": "a@b.pl"},
        {"name": "A", "customer_id": "x/../y"},
        {"name": "A", "version": 3},
        {"name": "A", "occurred_at": "2026-01-01T00:00:00"},
        {"name": "A", "occurred_at": "2999-01-01T00:00:00Z"},
        {"name": "A", "consents": [{"purpose": "spam"}]},
        {"name": "A", "country": "ZZ"},
        [],
    ],
)
def test_rubbish_is_refused_with_a_problem(town, body) -> None:
    answer = town.post("/v1/customers", body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?phone=601&name=A", 400),
        ("?phone=12", 422),
        ("?email=x", 422),
        ("?name=A&limit=0", 422),
        ("?name=A&cursor=rubbish", 400),
        ("?name=%00", 422),
        ("?external_id=%00", 422),
        ("?card=%00", 422),
        ("?name=%25_", 200),
        ("/%00", 422),
        ("/nobody", 404),
        ("/nobody/360", 404),
        ("/nobody/timeline", 404),
        ("/nobody/consents", 404),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(town, query, status) -> None:
    answer = town.client().get(f"/v1/customers{query}")
    assert answer.status_code == status, answer.text
