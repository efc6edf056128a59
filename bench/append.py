"""B1: appending, 64 callers at once, one event each, versions checked.

Each caller saves one event of an aggregate of its own, waits until it is committed, and goes on to the next: what a service does that takes
64 commands at a time. All write the same event of the same size into the same PostgreSQL.
"""

import asyncio
import itertools
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
import uvloop
from contest import Claim, Contender, Contest, Sample, Wrong
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate as TheirAggregate
from eventsourcing.domain import event

from till_events import catalogue
from till_events.base import Event
from till_events.codec import encode
from till_events.order import OrderPaymentRecorded
from till_platform.domain import Aggregate
from till_platform.eventstore.log import Log
from till_platform.eventstore.schema import migrate
from till_platform.process import SWITCH_SECONDS
from till_platform.testing.infra import Infra
from till_platform.testing.logs import open_log

assert catalogue
CALLERS = 64
CONNECTIONS = 8
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OURS, LIBRARY, PLAIN, LIMIT = "tillstream", "eventsourcing 9.5", "one transaction per command", "bare batched insert"
AMOUNTS = {OURS: 20_000, LIBRARY: 1_500, PLAIN: 5_000, LIMIT: 20_000}
"""How many events each appends in a round: some seconds for everybody."""


class Order(Aggregate):
    """An order that is only ever paid for."""

    kind: ClassVar[str] = "order"

    def pay(self, order_id: str) -> None:
        self.record(payment(order_id))

    def apply(self, event: Event) -> None:
        pass


def payment(order_id: str) -> OrderPaymentRecorded:
    return OrderPaymentRecorded(
        occurred_at=NOON,
        order_id=order_id,
        store_id="404",
        payment_id="payment-1",
        method="card",
        amount_minor=12_345,
        paid_minor=12_345,
        currency="USD",
        customer_id=f"customer-{order_id}",
    )


class TheirOrder(TheirAggregate):
    """The same as the library's own documentation would write it."""

    @event("PaymentRecorded")
    def __init__(self, store_id: str, payment_id: str, method: str, amount_minor: int, currency: str) -> None:
        self.paid = (store_id, payment_id, method, amount_minor, currency)


def ours(infra: Infra) -> Contender:
    address = infra.database("ours")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
    return appending(OURS, address)


def appending(name: str, address: str, before: int = 0) -> Contender:
    """Ours, into a log that holds so many events already."""
    numbers, seen = itertools.count(), Counter(address, "log", before)

    async def append(log: Log, amount: int) -> None:
        left = iter(range(amount))

        async def caller() -> None:
            for _ in left:
                order = Order(Order.stream(f"o-{next(numbers)}"))
                order.pay(order.identity)
                await log.save(order)

        await asyncio.gather(*[caller() for _ in range(CALLERS)])

    def run() -> Sample:
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)  # as every process of ours does
        with open_log(address) as log:
            sample = timed(AMOUNTS[OURS], lambda: uvloop.run(append(log, AMOUNTS[OURS])))
        sys.setswitchinterval(before)
        seen.check(sample.amount)
        return sample

    return Contender(name, "durable, version checked, gapless positions", run)


def library(infra: Infra) -> Contender:
    """`eventsourcing` as it comes: its PostgreSQL recorder, which locks the table for each append; a thread for each caller."""
    address = infra.database("library")
    env = library_settings(address)
    seen = Counter(address, "application_events")

    def run() -> Sample:
        application: Application[Any] = Application(env)
        try:

            def save(number: int) -> None:
                application.save(TheirOrder(f"{number}", "payment-1", "card", 12_345, "USD"))

            sample = timed(AMOUNTS[LIBRARY], lambda: in_threads(AMOUNTS[LIBRARY], save))
        finally:
            application.close()
        seen.check(sample.amount)
        return sample

    return Contender(LIBRARY, "durable, version checked, positions with gaps", run, "default, locking mode; pool of 8")


def library_settings(address: str) -> dict[str, str]:
    """Return the settings with which the library finds the database; everything else is its default."""
    parts = psycopg.conninfo.conninfo_to_dict(address)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts["port"]),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password", "")),
        "POSTGRES_POOL_SIZE": str(CONNECTIONS),
        "POSTGRES_MAX_OVERFLOW": str(CALLERS),
        "POSTGRES_POOL_TIMEOUT": "60",
    }


def plain(infra: Infra) -> Contender:
    """The usual table, one transaction for each command, eight connections."""
    address = infra.database("plain")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLE)
    numbers, seen = itertools.count(), Counter(address, "events")

    def run() -> Sample:
        free: queue.SimpleQueue[psycopg.Connection[Any]] = queue.SimpleQueue()
        connections = [psycopg.connect(address, autocommit=True) for _ in range(CONNECTIONS)]
        for connection in connections:
            free.put(connection)

        def save(_: int) -> None:
            number = next(numbers)
            row = (f"order-o-{number}", 1, "OrderPaymentRecorded", encode(payment(f"o-{number}")), NOON)
            connection = free.get()
            connection.execute(
                INSERT, row
            )  # its own transaction; the key of stream and sequence is the check of the version
            free.put(connection)

        sample = timed(AMOUNTS[PLAIN], lambda: in_threads(AMOUNTS[PLAIN], save))
        for connection in connections:
            connection.close()
        seen.check(sample.amount)
        return sample

    return Contender(PLAIN, "durable, version checked, readers can miss events", run, "psycopg, 8 connections")


def limit(infra: Infra) -> Contender:
    """The least that has to happen: as many rows as callers, one COPY, one commit, and nobody to answer."""
    address = infra.database("bare")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(TABLE)
    numbers, seen = itertools.count(), Counter(address, "events")

    def append() -> None:
        with psycopg.connect(address) as connection:
            for _ in range(AMOUNTS[LIMIT] // CALLERS):
                copying = connection.cursor().copy("COPY events (stream, sequence, type, data, at) FROM STDIN")
                with copying as copy:
                    for _ in range(CALLERS):
                        number = next(numbers)
                        data = encode(payment(f"o-{number}"))
                        copy.write_row((f"order-o-{number}", 1, "OrderPaymentRecorded", data, NOON))
                connection.commit()

    def run() -> Sample:
        sample = timed(AMOUNTS[LIMIT] // CALLERS * CALLERS, append)
        seen.check(sample.amount)
        return sample

    return Contender(LIMIT, "durable, nothing else", run, "COPY of 64 rows, then commit")


TABLE = """
CREATE TABLE events (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, sequence int NOT NULL,
    type text NOT NULL, data bytea NOT NULL, at timestamptz NOT NULL, UNIQUE (stream, sequence))
"""
INSERT = "INSERT INTO events (stream, sequence, type, data, at) VALUES (%s, %s, %s, %s, %s)"


def in_threads(amount: int, save: Callable[[int], None]) -> None:
    left, failures = iter(range(amount)), []
    lock = threading.Lock()

    def caller() -> None:
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                save(number)
            except Exception as error:  # noqa: BLE001 - told after all have ended
                failures.append(error)
                return

    callers = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    if failures:
        raise failures[0]


def timed(amount: int, work: Callable[[], None]) -> Sample:
    cpu, started = time.process_time(), time.perf_counter()
    work()
    return Sample(amount, time.perf_counter() - started, time.process_time() - cpu)


class Counter:
    """Knows how many events a table held before, and sees whether all that were saved are there."""

    def __init__(self, address: str, table: str, before: int = 0) -> None:
        self._address, self._table, self._before = address, table, before

    def check(self, saved: int) -> None:
        with psycopg.connect(self._address) as connection:
            (found,) = connection.execute(f"SELECT count(*) FROM {self._table}").fetchone() or (0,)
        if found != self._before + saved:
            raise Wrong(f"{found - self._before} events in {self._table}, {saved} were saved")
        self._before = found


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    yield Contest(
        "append, 64 callers at once, one event each, versions checked",
        "events/s",
        [ours(infra), library(infra), plain(infra), limit(infra)],
        [Claim(LIBRARY, 10), Claim(PLAIN, 3), Claim(LIMIT, 0.6)],
    )
