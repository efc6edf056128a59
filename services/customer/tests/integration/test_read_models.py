"""Read models on a real database: however a story is cut into batches and mixed with others, the rows are the same."""

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as forall
from hypothesis import strategies as some
from psycopg import connect
from psycopg_pool import ConnectionPool

from till_customer.projections.cards import Cards
from till_customer.projections.consents import Consents, consents_of
from till_customer.projections.customers import Customers, KnownByReadModels, customers_by_name
from till_customer.projections.stores import Stores
from till_customer.projections.timelines import Timelines
from till_events.customer import ConsentGranted, ConsentWithdrawn, CustomerProfileChanged, CustomerRegistered
from till_events.loyalty import LoyaltyCardBlocked, LoyaltyCardIssued
from till_events.order import StoreOpened
from till_platform.projections.reads import Reads
from till_platform.testing.projections import fact, rows_after

from .test_timelines import receipt

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PROJECTIONS = (Customers(), Consents(), Cards(), Stores(), Timelines())
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def dsn(infra) -> str:
    found = infra.database("customer")
    with connect(found, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA extensions")
        connection.execute("CREATE EXTENSION pg_trgm WITH SCHEMA extensions")
    return found


def life(customer: str) -> list:
    """What happens to a customer, in the order in which the topic of each service tells it."""
    consent = {"customer_id": customer, "purpose": "marketing", "channel": "sms", "address": "+48601"}
    card = {"account_id": f"a-{customer}", "customer_id": customer, "card_number": f"2{customer}"}
    own = [
        CustomerRegistered(
            occurred_at=NOON, customer_id=customer, name="Jan", phones=("+48601",), external_id=f"x-{customer}"
        ),
        CustomerProfileChanged(
            occurred_at=NOON, customer_id=customer, changed=("phones",), name="Jan", phones=("+48602", "+48603")
        ),
        ConsentGranted(occurred_at=NOON, wording="1", collected_from="till", **consent),
        ConsentWithdrawn(occurred_at=NOON + timedelta(hours=1), collected_from="web", **consent),
        CustomerProfileChanged(
            occurred_at=NOON, customer_id=customer, changed=("name",), name="Иван", phones=("+48603",)
        ),
    ]
    loyalty = [
        LoyaltyCardIssued(occurred_at=NOON, **card),
        LoyaltyCardBlocked(occurred_at=NOON + timedelta(days=1), reason="lost", **card),
        LoyaltyCardIssued(occurred_at=NOON + timedelta(days=1), **card | {"card_number": f"3{customer}"}),
    ]
    sales = [receipt(number, customer_id=customer) for number in range(3)]
    return [[fact(event, key=customer) for event in events] for events in (own, loyalty, sales)]


LIVES = [keyed for customer in ("c1", "c2", "c3") for keyed in life(customer)]
LIVES.append([fact(StoreOpened(occurred_at=NOON, store_id="s1", name="S", zone="UTC", currency="PLN", country="PL"))])
LIVES.append([fact(receipt(9, customer_id=None, card_number="2c1"))])


def told(rng: random.Random, cuts: list[int]) -> list[list]:
    """The same story, topics and customers mixed at random, each of them in order, and cut into batches."""
    waiting = [list(keyed) for keyed in LIVES]
    mixed = []
    while waiting:
        keyed = rng.choice(waiting)
        mixed.append(keyed.pop(0))
        if not keyed:
            waiting.remove(keyed)
    bounds = sorted({0, len(mixed), *(cut % len(mixed) for cut in cuts)})
    return [mixed[start:end] for start, end in pairwise(bounds)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@forall(some.randoms(use_true_random=False), some.lists(some.integers(0, 200), max_size=8))
def test_rows_do_not_depend_on_batches_or_on_the_order_between_customers_and_topics(dsn, rng, cuts) -> None:
    in_one = [[fact for keyed in LIVES for fact in keyed]]
    with connect(dsn, autocommit=True) as connection:
        for projection in PROJECTIONS:
            expected = rows_after(connection, projection, in_one)
            assert any(expected.values()), projection.name
            assert rows_after(connection, projection, told(rng, cuts)) == expected


def test_hearing_the_whole_story_twice_changes_nothing(dsn) -> None:
    story = [fact for keyed in LIVES for fact in keyed]
    with connect(dsn, autocommit=True) as connection:
        for projection in PROJECTIONS:
            assert rows_after(connection, projection, [story, story]) == rows_after(connection, projection, [story])


@contextmanager
def reading(dsn: str) -> Iterator[Reads]:
    with ConnectionPool(dsn, min_size=1, kwargs={"autocommit": True}) as pool, ThreadPoolExecutor(2) as threads:
        with pool.connection() as connection:
            for projection in PROJECTIONS:
                rows_after(connection, projection, [[fact for keyed in LIVES for fact in keyed]])
        yield Reads(pool, threads)


def test_an_identifier_given_up_is_no_longer_found_and_a_card_of_the_programme_is(dsn) -> None:
    with reading(dsn) as reads:
        known = KnownByReadModels(reads)
        asked = {("external_id", "x-c1"), ("card", "2c2"), ("card", "unknown")}
        assert asyncio.run(known.owners(asked)) == {("card", "2c2"): "c2"}
        assert asyncio.run(known.sharing({"+48601", "+48602", "+48603"})) == {"+48603": ["c1", "c2", "c3"]}
        assert asyncio.run(known.owners(set())) == asyncio.run(known.sharing(set())) == {}


def test_a_name_is_found_in_another_script_and_a_consent_stands_by_its_latest_word(dsn) -> None:
    with reading(dsn) as reads:
        found = asyncio.run(customers_by_name(reads, "Ivan", after=None, limit=10))
        assert [row["customer_id"] for row in found] == ["c1", "c2", "c3"]
        assert asyncio.run(customers_by_name(reads, "Jan Kowalski", after=None, limit=10)) == []
        (standing,) = asyncio.run(consents_of(reads, "c1"))
        assert standing["granted"] is False
