from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from psycopg_pool import ConnectionPool

from till_events.base import Event
from till_events.loyalty import LoyaltyCardBlocked, LoyaltyCardIssued
from till_events.order import Line
from till_order.domain.move import Move
from till_order.domain.order import Order
from till_order.domain.payment import Payment
from till_order.domain.placement import Placement
from till_order.domain.workflow import Workflow, default_statuses, default_transitions
from till_order.projections.cards import Cards, card_owners
from till_order.projections.order_cards import OrderCards
from till_platform.batch import Fact
from till_platform.projections.reads import Reads
from till_platform.testing.infra import Infra
from till_platform.testing.projections import fact, rows_after

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def database(infra: Infra) -> str:
    return infra.database("order")


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS extensions")
        yield connection


def story_of(number: int, end: str) -> list[Event]:
    chain = Workflow(Workflow.stream("default"))
    chain.publish(default_statuses(), default_transitions(), "new", NOW)
    order = Order(Order.stream(f"o-{number}"))
    line = Line(line_id=1, product_id="p", quantity=Decimal(1), paid_minor=1_000 + number)
    order.place(Placement(store_id="s-1", number=str(number), channel="web", currency="USD", lines=(line,)), chain, NOW)
    order.pay(Payment(payment_id="a", method="card", amount_minor=600), NOW)
    order.refund(Payment(payment_id="b", method="card", amount_minor=100), NOW)
    order.pay(Payment(payment_id="c", method="cash", amount_minor=500 + number), NOW)
    for status in ("approval", "assembly", "delivery") if end == "completed" else ("approval",):
        order.move(Move(to_status=status), chain, NOW)
    order.move(Move(to_status=end), chain, NOW + timedelta(hours=1))
    return list(order.pending)


def facts_of(stories: list[list[Event]], turns: list[int]) -> list[Fact]:
    """Shuffle the stories into each other: within each the order is kept, between them it is anything."""
    left = [list(enumerate(story, 1)) for story in stories]
    facts = []
    for turn in turns + [number for number, story in enumerate(left) for _ in story]:
        story = left[turn % len(left)]
        if story:
            sequence, event = story.pop(0)
            one = fact(event, stream=f"order-{event.order_id}")
            one.headers.update({"ce_sequence": b"%d" % sequence, "ce_recordedat": b"2026-11-22T09:30:00.000000Z"})
            facts.append(one)
    return facts


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@for_all(turns=st.lists(st.integers(0, 2), max_size=40), cuts=st.sets(st.integers(1, 30)))
def test_orders_look_the_same_however_their_events_are_mixed_and_cut(
    connection: psycopg.Connection, turns: list[int], cuts: set[int]
) -> None:
    stories = [story_of(1, "completed"), story_of(2, "cancelled"), story_of(3, "completed")]
    whole = rows_after(connection, OrderCards(), [facts_of(stories, [])])
    facts = facts_of(stories, turns)
    edges = [0, *sorted(cut for cut in cuts if cut < len(facts)), len(facts)]
    assert rows_after(connection, OrderCards(), [facts[start:end] for start, end in pairwise(edges)]) == whole


def issued(card: str, customer: str) -> Fact:
    told = {"account_id": f"a-{customer}", "customer_id": customer, "card_number": card, "occurred_at": NOW}
    return fact(LoyaltyCardIssued(**told))


def blocked(card: str, customer: str, at: datetime) -> Fact:
    told = {"account_id": f"a-{customer}", "customer_id": customer, "card_number": card, "occurred_at": at}
    return fact(LoyaltyCardBlocked(reason="lost", **told))


async def owners_after(connection, database: str, facts: list[Fact], shown: list[tuple[str, datetime]]):
    rows_after(connection, Cards(), [facts])
    with ConnectionPool(database, min_size=1, max_size=1) as pool, ThreadPoolExecutor(1) as threads:
        return await card_owners(Reads(pool, threads), shown)


async def test_a_card_tells_whose_it_was_when_it_was_shown(connection: psycopg.Connection, database: str) -> None:
    later = NOW + timedelta(hours=1)
    facts = [issued("20-1", "c-1"), issued("20-2", "c-2"), blocked("20-2", "c-2", later)]
    shown = [("20-1", later), ("20-2", NOW), ("20-2", later), ("20-9", NOW)]
    assert await owners_after(connection, database, facts, shown) == ["c-1", "c-2", None, None]


async def test_a_card_that_two_customers_claim_is_nobodys_until_one_is_blocked(
    connection: psycopg.Connection, database: str
) -> None:
    claimed = [issued("20-1", "c-1"), issued("20-1", "c-2")]
    assert await owners_after(connection, database, claimed, [("20-1", NOW)]) == [None]
    settled = [*claimed, blocked("20-1", "c-1", NOW)]
    assert await owners_after(connection, database, settled, [("20-1", NOW)]) == ["c-2"]
