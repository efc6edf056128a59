"""The service as it runs: its processes, its API, and the real parts."""

import signal
from collections import Counter
from uuid import uuid4

import pytest
from msgspec.structs import replace

from till_analytics.domain.default_model import DEFAULT_RANKING
from till_platform.auth import ROLES
from till_platform.testing.neighbours import Neighbours
from till_platform.testing.running import ServiceUnderTest, eventually

from .trade import FIRST, LAST, STORES, trade

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TRADE = trade()
SOLD = Counter()
BACK = Counter()
for _event in TRADE.purchases:
    SOLD[_event.currency] += _event.total_minor
for _event in TRADE.returns:
    BACK[_event.currency] += _event.total_minor


@pytest.fixture(scope="module")
def neighbours(infra):
    with Neighbours(infra, f"t{uuid4().hex[:8]}") as told:
        yield told


@pytest.fixture(scope="module")
def analytics(infra, issuer, neighbours, tmp_path_factory):
    directory = tmp_path_factory.mktemp("analytics")
    service = ServiceUnderTest("analytics", infra, neighbours.namespace, issuer, directory, TILL_MAX_BATCH="200")
    try:
        service.start()
        neighbours.tell(*TRADE.events)
        eventually(lambda: caught_up(service), within=120)
        yield service
    finally:
        service.stop()


def caught_up(service) -> bool:
    ((receipts, returns),) = service.rows("SELECT sum(receipts), sum(returns) FROM sales.receipts")
    return (receipts, returns) == (len(TRADE.purchases), len(TRADE.returns)) and service.rows(
        "SELECT count(*) FROM signups.signups"
    ) == [(41,)]


@pytest.fixture(scope="module")
def analyst(analytics):
    with analytics.client("analyst") as client:
        yield client


@pytest.fixture(scope="module")
def as_role(analytics):
    def headers(role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {analytics.issuer.token(role)}"}

    return headers


def test_the_grand_totals_equal_the_receipts_to_the_cent(analyst) -> None:
    rows = {row["currency"]: row for row in analyst.get("/v1/totals").json()["rows"]}
    for currency in ("USD", "PLN"):
        assert (rows[currency]["sales_minor"], rows[currency]["refunds_minor"]) == (SOLD[currency], BACK[currency])
        assert rows[currency]["agrees"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sales?by=store", "/v1/sales?by=day", "/v1/sales?by=week", "/v1/sales?by=month", "/v1/sales?by=channel",
        "/v1/sales?by=operator", "/v1/sales?by=payment", "/v1/sales?by=department", "/v1/sales?by=category",
        "/v1/sales?by=manufacturer", "/v1/sales?by=brand", "/v1/sales?by=product", "/v1/sales/growth",
        "/v1/sales/growth?by=department&against=year_before", "/v1/sales/average-ticket", "/v1/sales/repeat",
        "/v1/totals", "/v1/customers/top", "/v1/customers/signups", "/v1/customers/signups?by=store",
        "/v1/customers/c01/rfm", "/v1/rfm", "/v1/rfm?group=champions", "/v1/rfm/groups", "/v1/rfm/model",
        "/v1/orders", "/v1/orders?by=operator",
    ],
)  # fmt: skip
def test_every_report_is_there_for_who_may_read_and_for_nobody_else(analyst, as_role, path) -> None:
    answer = analyst.get(path)
    assert answer.status_code == 200, answer.text
    assert analyst.get(path, headers=as_role("cashier")).status_code == 403
    assert analyst.get(path, headers={"Authorization": ""}).status_code == 401


def test_analysts_managers_marketers_auditors_and_administrators_read(analyst, as_role) -> None:
    answers = {role: analyst.get("/v1/totals", headers=as_role(role)).status_code for role in sorted(ROLES)}
    readers = {"analyst", "manager", "marketer", "auditor", "admin"}
    assert answers == {role: 200 if role in readers else 403 for role in ROLES}


def test_a_manager_sees_the_figures_of_their_own_stores_only(analytics) -> None:
    with analytics.client("manager", stores=["s2"]) as manager:
        assert {row["key"] for row in manager.get("/v1/sales?by=store").json()["rows"]} == {"s2"}
        totals = {row["currency"]: row["sales_minor"] for row in manager.get("/v1/totals").json()["rows"]}
        here = Counter()
        for event in TRADE.purchases:
            here[event.currency] += event.total_minor * (event.store_id == "s2")
        assert totals == here
        assert manager.get("/v1/sales?by=store&store_id=s1").status_code == 403
        assert manager.get("/v1/sales?by=store&store_id=s2&store_id=s1").status_code == 403
        known = {event.customer_id for event in TRADE.purchases if event.store_id == "s2"}
        ranked = manager.get("/v1/rfm?limit=200").json()["items"]
        assert {row["customer_id"] for row in ranked} <= known
    with analytics.client("manager", stores=[]) as nobody:
        assert nobody.get("/v1/sales?by=store").json()["rows"] == []
        assert nobody.get("/v1/rfm").json()["items"] == []


def test_figures_as_of_a_day_leave_out_what_came_after(analyst) -> None:
    day = FIRST.replace(day=20)
    report = analyst.get("/v1/sales", params={"by": "month", "as_of": day.isoformat()}).json()
    assert (report["to"], report["loaded_to"]) == (
        day.isoformat(),
        max(e.business_date for e in TRADE.events if hasattr(e, "business_date")).isoformat(),
    )
    assert {row["currency"]: row["sales_minor"] for row in report["totals"]} == {
        currency: sum(e.total_minor for e in TRADE.until(day).purchases if e.currency == currency)
        for currency in ("USD", "PLN")
    }


def test_growth_names_what_it_was_compared_with(analyst) -> None:
    answer = analyst.get("/v1/sales/growth", params={"from": "2026-08-01", "to": "2026-08-31"}).json()
    assert (answer["compared_from"], answer["compared_to"]) == ("2026-07-01", "2026-07-31")
    for row in answer["totals"]:
        assert row["net_minor"]["absolute"] == row["net_minor"]["now"] - row["net_minor"]["before"]
        assert isinstance(row["net_minor"]["ratio"], str)


def test_a_spreadsheet_holds_the_same_rows(analyst) -> None:
    rows = analyst.get("/v1/sales?by=store").json()["rows"]
    answer = analyst.get("/v1/sales?by=store", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.text.splitlines()) == len(rows) + 1
    assert answer.text.startswith("currency,sales_minor,refunds_minor,net_minor")


def test_pages_of_the_ranking_hold_every_customer_once(analyst) -> None:
    seen, cursor = [], None
    while True:
        page = analyst.get("/v1/rfm", params={"limit": 9} | ({"cursor": cursor} if cursor else {})).json()
        seen += [row["customer_id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == sum(row["customers"] for row in analyst.get("/v1/rfm/groups").json()["rows"])


def test_scoring_everybody_records_every_change_once(analytics, analyst) -> None:
    middle = {"as_of": FIRST.replace(month=8).isoformat()}
    first = analyst.post("/v1/rfm/scores", json=middle).json()
    assert first["changed"] == first["customers"] == sum(first["groups"].values()) > 0
    assert analyst.post("/v1/rfm/scores", json=middle).json()["changed"] == 0
    before = analytics.rows("SELECT count(*) FROM log")[0][0]
    later = analyst.post("/v1/rfm/scores", json={"as_of": LAST.isoformat()}).json()
    assert analytics.rows("SELECT count(*) FROM log")[0][0] - before == later["changed"] > 0
    assert analyst.post("/v1/rfm/scores", json=middle).json()["changed"] == 0, (
        "an earlier day must not undo a later one"
    )
    rank = analyst.get("/v1/customers/c01/rfm", params={"as_of": LAST.isoformat()}).json()
    assert {name: rank["recorded"][name] for name in ("group", "r", "f", "m")} == {
        name: rank["score"][name] for name in ("group", "r", "f", "m")
    }


def test_a_manager_may_neither_score_nor_publish_a_model(analytics) -> None:
    with analytics.client("manager") as manager:
        assert manager.post("/v1/rfm/scores", json={}).status_code == 403
        model = manager.get("/v1/rfm/model").json()
        model.pop("version")
        assert manager.post("/v1/rfm/model", json=model, headers={"Idempotency-Key": "m"}).status_code == 403


def test_a_model_is_published_once_however_often_it_is_sent_and_only_if_everybody_has_a_place(analyst) -> None:
    model = analyst.get("/v1/rfm/model").json()
    version = model.pop("version")
    assert len(model["groups"]) == 11
    assert analyst.post("/v1/rfm/model", json=model).status_code == 400, "no Idempotency-Key"
    changed = {**model, "window_days": DEFAULT_RANKING.window_days - version}
    answers = [analyst.post("/v1/rfm/model", json=changed, headers={"Idempotency-Key": "same"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert {answer.json()["version"] for answer in answers} == {version + 1}
    hole = {**changed, "groups": changed["groups"][1:]}
    refused = analyst.post("/v1/rfm/model", json=hole, headers={"Idempotency-Key": "hole"})
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (422, "unusable-rfm-model")
    assert refused.json()["cells"] == [[5, 4], [5, 5]]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sales", "/v1/sales?by=moon", "/v1/sales?by=store&from=yesterday", "/v1/sales?by=store&from=2026-02-30",
        "/v1/sales?by=store&from=2026-08-02&to=2026-08-01", "/v1/sales?by=store&limit=0",
        "/v1/sales/growth?by=day", "/v1/sales/growth?from=0001-01-01", "/v1/customers/top?limit=-1",
        "/v1/rfm?as_of=9", "/v1/sales/average-ticket?by=product",
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused_with_a_problem(analyst, path) -> None:
    answer = analyst.get(path)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/rfm?as_of=0001-01-01", "/v1/rfm?as_of=9999-12-31", "/v1/sales?by=store&from=0001-01-01&to=9999-12-31",
        "/v1/sales?by=store&store_id='%3B--", "/v1/rfm?group=%25", "/v1/rfm/groups?store_id=", "/v1/totals?from=2030-01-01",
    ],
)  # fmt: skip
def test_an_odd_question_has_an_answer(analyst, path) -> None:
    assert analyst.get(path).status_code == 200, analyst.get(path).text


def test_nobody_is_known_by_an_unknown_id(analyst) -> None:
    assert analyst.get("/v1/customers/nobody/rfm").status_code == 404
    assert analyst.post("/v1/rfm/scores", json={"as_of": "9999-12-31"}).status_code == 422
    assert analyst.post("/v1/rfm/scores", json={"as_of": None, "hurry": True}).status_code == 422


def test_a_worker_frozen_in_the_middle_of_a_batch_until_the_database_gives_it_up_goes_on_when_thawed(
    analytics, neighbours
) -> None:
    more = another_trade("frozen", seed=11, receipts=5_000)  # enough batches to catch it inside one
    analytics.signal("all", signal.SIGSTOP)
    neighbours.tell(*more)
    analytics.signal("all", signal.SIGCONT)
    eventually(lambda: frozen_while_folding(analytics), every=0)
    eventually(lambda: not folding(analytics), every=0.2)
    analytics.signal("all", signal.SIGCONT)
    expect_totals(analytics, more)


def test_a_kill_in_the_middle_changes_nothing_twice_and_loses_nothing(analytics, neighbours) -> None:
    before = receipts_in(analytics)
    more = another_trade("killed", seed=12)
    analytics.signal("all", signal.SIGSTOP)
    neighbours.tell(*more)
    analytics.signal("all", signal.SIGCONT)
    eventually(lambda: receipts_in(analytics) > before, every=0.001)
    analytics.kill()
    assert receipts_in(analytics) < before + len(more), "killed too late to prove anything"
    analytics.start()
    expect_totals(analytics, more)


def another_trade(name: str, seed: int, receipts: int = 1_500) -> list:
    """More receipts, of customers and with numbers of their own."""
    return [
        replace(event, purchase_id=f"{name}-{event.purchase_id}", receipt_number=f"{name}-{event.receipt_number}")
        for event in trade(seed=seed, receipts=receipts).purchases
    ]


def expect_totals(service, more) -> None:
    """Check that everything so far and `more` was counted, once."""
    for event in more:
        SOLD[event.currency] += event.total_minor
    expected = {currency: SOLD[currency] for currency in ("USD", "PLN")}

    def sold() -> bool:
        with service.client() as client:
            rows = client.get("/v1/totals").json()["rows"]
        return {row["currency"]: row["sales_minor"] for row in rows} == expected

    eventually(sold, within=120, every=0.2)


def folding(service) -> bool:
    """Whether the worker has a transaction open in which PostgreSQL waits for it."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    return service.rows(f"{query} AND query LIKE '%%search_path%%'", []) != [(0,)]


def frozen_while_folding(service) -> bool:
    if not folding(service):
        return False
    service.signal("all", signal.SIGSTOP)
    if folding(service):
        return True
    service.signal("all", signal.SIGCONT)
    return False


def receipts_in(service) -> int:
    return service.rows("SELECT coalesce(sum(receipts), 0)::int FROM sales.receipts")[0][0]


def test_an_unreadable_receipt_holds_up_its_own_customer_only(analytics, neighbours) -> None:
    template = TRADE.purchases[0]
    fields = {name: getattr(template, name) for name in template.__struct_fields__}
    bad, behind, other = (
        type(template)(**fields | {"purchase_id": purchase, "customer_id": customer, "store_id": STORES[0]})
        for purchase, customer in (("x1", "parked"), ("x2", "parked"), ("x3", "free"))
    )
    neighbours.tell_unreadable(bad, b'{"lines": 3')
    neighbours.tell(behind, other)
    eventually(lambda: analytics.rows("SELECT count(*) FROM customer_days.days WHERE customer_id = 'free'") == [(1,)])
    assert analytics.rows("SELECT count(*) FROM customer_days.days WHERE customer_id = 'parked'") == [(0,)]


def test_the_live_read_models_equal_those_rebuilt_from_the_first_event(analytics) -> None:
    assert analytics.verify() == dict.fromkeys(("sales", "customer_days", "catalogue", "signups", "orders"), True)
