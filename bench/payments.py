"""The job of B4, B6 and B8 to B11: payments on a topic, made into the points of each customer and the last payment of each order.

Orders are paid in four. Payments are records as our relay writes them: some 300 bytes of JSON and the headers of CloudEvents. The oracle
folds the same payments in plain Python; what a contender made of them is compared with it row by row.
"""

import asyncio
import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import Producer
from contest import Wrong, say

from till_events import catalogue
from till_events.base import declaration_of
from till_events.codec import encode
from till_events.order import OrderPaymentRecorded
from till_events.topics import source_of
from till_platform.kafka.topics import ensure_topics
from till_platform.projections.table import Table
from till_platform.relay.rows import headers_of
from till_platform.settings import Settings

assert catalogue
PARTITIONS = 6
CUSTOMERS = 20_000
PARTS = 4
"""In how many parts an order is paid."""
ZIPF = 0.99
SAID_EVERY = 200_000
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

BALANCES = Table("balances", {"customer_id": "text", "points": "bigint", "payments": "bigint"}, key=("customer_id",))
ORDERS = Table(
    "orders",
    {
        "order_id": "text",
        "customer_id": "text",
        "payment_id": "text",
        "method": "text",
        "amount_minor": "bigint",
        "paid_minor": "bigint",
    },
    key=("order_id",),
)
TABLES = (BALANCES, ORDERS)


@dataclass
class Oracle:
    """What the tables must hold in the end."""

    balances: dict[str, tuple[int, int]]
    orders: dict[str, tuple[Any, ...]]
    payments: int = 0
    paid_minor: int = 0

    def take(self, event: OrderPaymentRecorded) -> None:
        """Fold one payment."""
        customer, order = str(event.customer_id), str(event.order_id)
        points, payments = self.balances.get(customer, (0, 0))
        self.balances[customer] = (points + event.amount_minor // 100, payments + 1)
        before = self.orders.get(order)
        self.paid_minor += event.paid_minor - (before[-1] if before else 0)
        self.orders[order] = (customer, event.payment_id, event.method, event.amount_minor, event.paid_minor)
        self.payments += 1

    def check(self, connection: psycopg.Connection[Any], balances: str, orders: str) -> None:
        """Compare both tables row by row; raise `Wrong`."""
        for table, columns, wanted in (
            (balances, list(BALANCES.columns), self.balances),
            (orders, list(ORDERS.columns), self.orders),
        ):
            found = {row[0]: row[1:] for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}")}
            wrong = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
            if wrong:
                first = f"{wrong[0]} is {found.get(wrong[0])}, not {wanted.get(wrong[0])}"
                raise Wrong(f"{len(wrong)} of {len(wanted)} rows of {table} are wrong: {first}")


@dataclass(frozen=True)
class Story:
    """A seeded run of payments. `hot` is the share of them that one customer makes, `zipf` how unequal the others are: 0 is all alike."""

    amount: int
    hot: float = 0.0
    zipf: float = ZIPF
    seed: int = 1
    start: datetime = NOON

    methods: ClassVar = ("card", "cash", "points", "transfer")

    def __iter__(self) -> Iterator[OrderPaymentRecorded]:
        chance = random.Random(self.seed)
        customers = [identity(chance) for _ in range(CUSTOMERS)]
        weights = list(itertools.accumulate(1 / rank**self.zipf for rank in range(1, CUSTOMERS + 1)))
        open_orders: dict[str, tuple[str, int, int]] = {}
        for number in range(self.amount):
            customer = customers[0] if chance.random() < self.hot else chance.choices(customers, cum_weights=weights)[0]
            order, part, paid = open_orders.get(customer) or (identity(chance), 0, 0)
            amount = chance.randrange(100, 50_000)
            open_orders[customer] = (order, part + 1, paid + amount)
            if part + 1 == PARTS:
                del open_orders[customer]
            yield OrderPaymentRecorded(
                occurred_at=self.start + timedelta(milliseconds=number),
                order_id=order,
                store_id=f"{404 + number % 7}",
                payment_id=identity(chance),
                method=self.methods[number % len(self.methods)],
                amount_minor=amount,
                paid_minor=paid + amount,
                currency="USD",
                customer_id=customer,
            )


@dataclass(frozen=True)
class Years:
    """A year of payments again and again: other customers, other orders, a year later each time."""

    years: int
    amount: int

    def __iter__(self) -> Iterator[OrderPaymentRecorded]:
        for year in range(self.years):
            yield from Story(self.amount, seed=year + 1, start=NOON + timedelta(days=365 * year))


def identity(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


class Topic:
    """A topic of payments in a namespace of its own, as the order service's relay would have written it."""

    def __init__(self, kafka: str, namespace: str) -> None:
        self.kafka = kafka
        self.namespace = namespace
        self.settings = Settings.read(
            service="order",
            environment="local",
            pg="",
            redis="",
            kafka=kafka,
            namespace=namespace,
            partitions=PARTITIONS,
        )
        self.name = self.settings.topic("order")
        self._position = 0
        self._last = [0] * PARTITIONS
        self._partitions: dict[bytes, int] = {}
        self._sequences: dict[str, int] = {}
        self._kind = declaration_of(OrderPaymentRecorded).type
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "acks": "all",
                "enable.idempotence": True,
                "log_level": 3,
                "linger.ms": 20,
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 200_000,
            }
        )

    def create(self) -> "Topic":
        """Make it, empty."""
        asyncio.run(ensure_topics(self.settings, ["order"]))
        return self

    def tell(self, payment: OrderPaymentRecorded) -> None:
        """Put one more payment on the topic, soon."""
        key = str(payment.customer_id)
        sequence = self._sequences[payment.order_id] = self._sequences.get(payment.order_id, 0) + 1
        self.put(key, encode(payment), f"order-{payment.order_id}", sequence, payment.occurred_at, payment.store_id)

    def put(self, key: str, data: bytes, stream: str, sequence: int, at: datetime, store: str) -> None:
        self._position += 1
        event_id = f"0195f3a0-0000-7000-8000-{self._position:012d}"
        row = (self._position, stream, sequence, event_id, self._kind, key, data, at, at)
        headers = headers_of((*row, event_id, None, "cashier:17", store, TRACEPARENT, True), source_of("order"))
        raw = key.encode()
        if (partition := self._partitions.get(raw)) is None:
            everyone = list(range(PARTITIONS))
            partition = self._partitions[raw] = DefaultPartitioner()(raw, everyone, everyone)
        headers.append(("ce_prevposition", b"%d" % self._last[partition]))
        self._last[partition] = self._position
        while True:
            try:
                self._producer.produce(self.name, data, raw, partition=partition, headers=headers)
                break
            except BufferError:
                self._producer.poll(0.05)
        if self._position % 1_000 == 0:
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything is there."""
        left = self._producer.flush(120)
        if left:
            raise ConnectionError(f"{left} payments did not reach {self.name}")

    def close(self) -> None:
        """Wait until everything is there, and tell no more: a client that lives on complains of a broker that is gone."""
        self.flush()
        del self._producer


def topic_of(kafka: str, namespace: str, story: Iterable[OrderPaymentRecorded]) -> tuple[Topic, Oracle]:
    """Put a whole story on a topic; return it and what must come of it."""
    topic, oracle = Topic(kafka, namespace).create(), Oracle({}, {})
    for payment in story:
        topic.tell(payment)
        oracle.take(payment)
        if oracle.payments % SAID_EVERY == 0:
            say(f"{oracle.payments:,} payments on {topic.name}")
    topic.close()
    return topic, oracle
