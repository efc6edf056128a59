"""One customer from all sides: everything the other four services tell of them, in one line of time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from till_events.analytics import RfmScoreChanged
from till_events.ids import new_id
from till_events.loyalty import (
    LoyaltyAccountOpened,
    LoyaltyCardBlocked,
    LoyaltyCardIssued,
    PointsAccrued,
    PointsRedeemed,
    TierChanged,
)
from till_events.notification import MessageSent, MessageSuppressed
from till_events.order import Line, OrderPlaced, OrderStatusChanged, PurchaseRecorded, PurchaseReturned, Tender
from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CARD = "2000000000305"


def receipt(number: int, *, customer_id: str | None, store_id: str = "s1", card_number: str | None = None):
    return PurchaseRecorded(
        occurred_at=NOON + timedelta(minutes=number),
        purchase_id=new_id(),
        store_id=store_id,
        till_id="1",
        receipt_number=str(number),
        business_date=date(2026, 11, 20),
        currency="PLN",
        total_minor=1000 + number,
        lines=(Line(line_id=1, product_id="p1", quantity=Decimal(1), paid_minor=1000 + number),),
        tenders=(Tender("cash", 1000 + number),),
        customer_id=customer_id,
        card_number=card_number,
    )


def story(customer: str):
    """A year in the life of a customer, as five services tell it."""
    about = {"account_id": f"acc-{customer}", "customer_id": customer}
    order = {"order_id": f"o-{customer}", "number": "S1-1", "store_id": "s1", "customer_id": customer}
    message = {"message_id": new_id(), "customer_id": customer, "channel": "sms", "purpose": "transactional"}
    bought = receipt(1, customer_id=customer)
    return [
        # The receipt that names only the card is told before anybody says whose the card is.
        receipt(2, customer_id=None, card_number=CARD),
        bought,
        receipt(3, customer_id=customer, store_id="s2"),
        receipt(4, customer_id=None),
        LoyaltyAccountOpened(occurred_at=NOON, programme_id="club", tier="base", **about),
        LoyaltyCardIssued(occurred_at=NOON, card_number=CARD, **about),
        LoyaltyCardIssued(occurred_at=NOON, card_number="2000000000312", **about),
        LoyaltyCardBlocked(occurred_at=NOON, card_number="2000000000312", reason="lost", **about),
        PointsAccrued(
            occurred_at=NOON + timedelta(minutes=5),
            lot_id="l1",
            points=10,
            basis_minor=1001,
            currency="PLN",
            spend_minor=1001,
            purchase_id=bought.purchase_id,
            store_id="s1",
            programme_id="club",
            rules_version=1,
            tier="base",
            available_from=NOON,
            expires_at=NOON + timedelta(days=365),
            **about,
        ),
        PointsRedeemed(
            occurred_at=NOON + timedelta(minutes=6),
            hold_id="h1",
            points=4,
            allocations=(),
            value_minor=4,
            currency="PLN",
            store_id="s1",
            **about,
        ),
        TierChanged(
            occurred_at=NOON + timedelta(minutes=7),
            from_tier="base",
            to_tier="gold",
            spend_minor=1,
            currency="PLN",
            window_from=date(2025, 11, 20),
            window_to=date(2026, 11, 20),
            rules_version=1,
            **about,
        ),
        OrderPlaced(
            occurred_at=NOON + timedelta(minutes=8),
            channel="web",
            currency="PLN",
            total_minor=5000,
            lines=(),
            status="new",
            phase="new",
            workflow_id="default",
            workflow_version=1,
            **order,
        ),
        OrderStatusChanged(
            occurred_at=NOON + timedelta(minutes=9),
            from_status="new",
            to_status="courier",
            from_phase="new",
            to_phase="delivery",
            workflow_version=1,
            **order,
        ),
        MessageSent(
            occurred_at=NOON + timedelta(minutes=10),
            template_id="courier",
            template_version=1,
            locale="pl",
            address="+48601000005",
            text="Kurier będzie za godzinę",
            **message,
        ),
        MessageSuppressed(
            occurred_at=NOON + timedelta(minutes=11),
            template_id="courier",
            reason="stale",
            **message | {"message_id": "m2"},
        ),
        PurchaseReturned(
            occurred_at=NOON + timedelta(minutes=12),
            return_id=new_id(),
            store_id="s1",
            till_id="1",
            return_number="1",
            business_date=date(2026, 11, 20),
            currency="PLN",
            total_minor=500,
            lines=(),
            refunds=(),
            customer_id=customer,
        ),
        RfmScoreChanged(
            occurred_at=NOON + timedelta(minutes=13),
            customer_id=customer,
            as_of=date(2026, 11, 20),
            recency_days=0,
            frequency=3,
            monetary_minor=1,
            currency="USD",
            r=5,
            f=5,
            m=5,
            group="champions",
            model_version=1,
        ),
    ]


@pytest.fixture(scope="module")
def anna(town) -> str:
    customer = town.register(phones=["601000005"], occurred_at="2026-11-20T11:00:00Z")["customer_id"]
    town.others.tell(*story(customer))
    eventually(lambda: town.service.rows("SELECT 1 FROM timelines.entries WHERE kind = 'rfm.changed'"))
    eventually(lambda: town.service.rows("SELECT 1 FROM timelines.entries WHERE kind = 'purchase.returned'"))
    eventually(lambda: town.service.rows("SELECT 1 FROM timelines.entries WHERE kind = 'message.suppressed'"))
    eventually(lambda: town.service.rows("SELECT 1 FROM timelines.entries WHERE kind = 'tier.changed'"))
    town.heard_of(customer)
    return customer


def kinds(page: dict) -> list[str]:
    return [item["kind"] for item in page["items"]]


def test_one_timeline_is_built_from_five_topics_the_latest_first(town, anna) -> None:
    page = town.client().get(f"/v1/customers/{anna}/timeline").json()
    assert kinds(page)[:11] == [
        "rfm.changed",
        "purchase.returned",
        "message.suppressed",
        "message.sent",
        "order.moved",
        "order.placed",
        "tier.changed",
        "points.redeemed",
        "points.accrued",
        "purchase.recorded",
        "purchase.recorded",
    ]
    assert kinds(page)[-1] == "profile.registered"
    by_kind = {item["kind"]: item for item in page["items"]}
    assert by_kind["message.sent"]["details"]["text"] == "Kurier będzie za godzinę"
    assert by_kind["purchase.returned"]["amount_minor"] == -500
    assert by_kind["points.redeemed"]["points"] == -4
    assert by_kind["order.moved"]["details"] == {"number": "S1-1", "from": "new", "to": "courier", "phase": "delivery"}


def test_a_receipt_that_named_only_the_card_is_the_customers_too(town, anna) -> None:
    page = town.client().get(f"/v1/customers/{anna}/timeline", params={"kind": "purchase.recorded"}).json()
    assert [item["amount_minor"] for item in page["items"]] == [1003, 1002, 1001]
    assert town.found(card=CARD) == [anna]


def test_pages_of_a_timeline_hold_everything_once(town, anna) -> None:
    client, path = town.client(), f"/v1/customers/{anna}/timeline"
    whole = client.get(path, params={"limit": 200}).json()["items"]
    seen, cursor = [], None
    while True:
        page = client.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == whole
    points = client.get(path, params={"kind": "points"}).json()
    assert kinds(points) == ["points.redeemed", "points.accrued"]
    assert client.get(path, params={"kind": "gossip"}).status_code == 422


def test_a_cashier_sees_what_happened_in_the_stores_of_the_token_and_in_no_store(town, anna) -> None:
    page = town.client("cashier", stores=["s1"]).get(f"/v1/customers/{anna}/timeline").json()
    assert {item["store_id"] for item in page["items"]} == {"s1", None}
    everything = town.client().get(f"/v1/customers/{anna}/timeline").json()
    assert {item["store_id"] for item in everything["items"]} == {"s1", "s2", None}


def test_a_customer_is_seen_from_all_sides(town, anna) -> None:
    shown = town.client().get(f"/v1/customers/{anna}/360").json()
    assert shown["customer"]["phones"] == ["+48601000005"]
    assert {card["card_number"]: card["blocked_because"] for card in shown["cards"]} == {
        CARD: None,
        "2000000000312": "lost",
    }
    assert shown["loyalty"] == {"tier": "gold", "points": {"accrued": 10, "redeemed": -4}}
    assert shown["rfm_group"] == "champions"
    assert shown["latest"] == town.client().get(f"/v1/customers/{anna}/timeline", params={"limit": 20}).json()["items"]


def test_an_auditor_reads_the_timeline_without_the_words_that_were_written(town, anna) -> None:
    answer = town.client("auditor").get(f"/v1/customers/{anna}/timeline")
    assert "message.sent" in answer.text
    assert "Kurier" not in answer.text


def test_every_word_about_consent_is_kept_and_the_latest_stands(town, anna) -> None:
    path = f"/v1/customers/{anna}/consents"
    subject = {"purpose": "marketing", "channel": "sms"}
    told = {"wording": "2026-01", "collected_from": "till", "store_id": "s1", "occurred_at": "2026-11-20T11:30:00Z"}
    cashier = town.client("cashier", stores=["s1"])
    granted = town.post(path, {**subject, **told}, client=cashier)
    assert granted.status_code == 201, granted.text
    late = {**subject, "collected_from": "web", "occurred_at": "2026-11-20T11:15:00Z"}
    assert town.post(f"{path}:withdraw", late).json()["consents"][0]["granted"] is True
    now = town.post(f"{path}:withdraw", {**subject, "collected_from": "unsubscribe_link"})
    assert now.json()["consents"][0]["granted"] is False
    eventually(lambda: len(town.client().get(path).json()["history"]) == 3)
    shown = town.client().get(path).json()
    assert [(word["granted"], word["collected_from"]) for word in shown["history"]] == [
        (False, "unsubscribe_link"),
        (True, "till"),
        (False, "web"),
    ]
    assert (shown["history"][1]["actor"], shown["history"][1]["wording"]) == ("cashier:test", "2026-01")
    assert [standing["granted"] for standing in shown["consents"]] == [False]
    assert town.post(path, {**subject, **told, "store_id": "s2"}, client=cashier).status_code == 403
    assert town.post(path, {**subject, "purpose": "spam"}).status_code == 422
