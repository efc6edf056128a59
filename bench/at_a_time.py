"""B7: what was an order like at some time in the past? One of 100 events is folded up to a version, again and again."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import uvloop
from append import LIBRARY, NOON, OURS, library_settings
from contest import Bound, Claim, Contender, Contest, Sample, Wrong
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate as TheirAggregate
from eventsourcing.domain import event

from till_events.base import Event
from till_events.order import OrderPaymentRecorded
from till_platform.domain import Aggregate
from till_platform.eventstore.log import Log
from till_platform.eventstore.schema import migrate
from till_platform.testing.infra import Infra
from till_platform.testing.logs import open_log

EVENTS, AGGREGATES, READS = 100, 200, 1_000


class Paid(Aggregate):
    """An order that is paid for in a hundred steps."""

    kind = "order"

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id)
        self.paid_minor = 0

    def pay(self, amount: int) -> None:
        self.record(
            OrderPaymentRecorded(
                occurred_at=NOON,
                order_id=self.identity,
                store_id="404",
                payment_id=f"payment-{self.version}",
                method="card",
                amount_minor=amount,
                paid_minor=self.paid_minor + amount,
                currency="USD",
                customer_id=f"customer-{self.identity}",
            )
        )

    def apply(self, event: Event) -> None:
        assert isinstance(event, OrderPaymentRecorded)
        self.paid_minor += event.amount_minor


class TheirPaid(TheirAggregate):
    @event("Placed")
    def __init__(self) -> None:
        self.paid_minor = 0

    @event("PaymentRecorded")
    def pay(self, amount_minor: int, facts: list[str]) -> None:  # noqa: ARG002 - the arguments are the event
        self.paid_minor += amount_minor


def ours(infra: Infra) -> Contender:
    address = infra.database("ours")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
    orders = [Paid(Paid.stream(f"o-{number}")) for number in range(AGGREGATES)]
    for order in orders:
        for step in range(EVENTS):
            order.pay(step)

    async def read(log: Log) -> list[float]:
        if not (await log.find(Paid, "o-0")).exists:
            await log.save_each(orders)
        chance, times = random.Random(3), []
        for _ in range(READS):
            number, version = chance.randrange(AGGREGATES), chance.randint(1, EVENTS)
            started = time.perf_counter()
            found = await log.load_at(Paid, f"o-{number}", version=version)
            times.append(time.perf_counter() - started)
            expect(found.paid_minor, sum(range(version)))
        return times

    def run() -> Sample:
        with open_log(address) as log:
            return sample_of(lambda: uvloop.run(read(log)))

    return Contender(OURS, "any version of any aggregate", run)


def library(infra: Infra) -> Contender:
    application: Application = Application(library_settings(infra.database("library")))
    orders = [TheirPaid() for _ in range(AGGREGATES)]
    for order in orders:
        for step in range(1, EVENTS):
            order.pay(step, [f"payment-{step}", "404", "card", "USD", "customer-1"])
        application.save(order)

    def read() -> list[float]:
        chance, times = random.Random(3), []
        for _ in range(READS):
            number, version = chance.randrange(AGGREGATES), chance.randint(1, EVENTS)
            started = time.perf_counter()
            found = application.repository.get(orders[number].id, version=version)
            times.append(time.perf_counter() - started)
            expect(found.paid_minor, sum(range(version)))
        return times

    return Contender(LIBRARY, "any version of any aggregate", lambda: sample_of(read), "default")


def sample_of(read: Callable[[], list[float]]) -> Sample:
    cpu = time.process_time()
    times = sorted(read())
    facts = {"p50_ms": statistics.median(times) * 1000, "p99_ms": times[int(READS * 0.99)] * 1000}
    return Sample(READS, sum(times), time.process_time() - cpu, facts)


def expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise Wrong(f"paid {found}, and it was {wanted}")


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    yield Contest(
        "an order of 100 events as it was after any of them",
        "reads/s",
        [ours(infra), library(infra)],
        [Claim(LIBRARY, 3)],
        [Bound("p99_ms", 3)],
    )
