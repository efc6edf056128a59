"""B5: from an order to the message about its points: three services, two topics, three databases; timed until the row can be seen.

First 64 tills order as fast as they are answered: how many orders a second arrive as messages. Then half of that is ordered at fixed times,
and each order is timed from when it was **due** to when the watcher saw its message: a till that is answered late makes all behind it late,
and that counts. The watcher looks every 2 ms, which counts against everybody.
"""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
from catch_up import EXACT
from catching import HERE, cpu_seconds, end, forget
from commands import CONNECTIONS, ask, connections
from contest import Bound, Claim, Contender, Contest, Sample, Wrong
from payments import PARTITIONS, identity
from peers.setup import peers

from till_platform.kafka.topics import ensure_topics
from till_platform.process import SWITCH_SECONDS
from till_platform.settings import Settings
from till_platform.testing.infra import Infra
from till_platform.testing.running import AUDIENCE, ISSUER, Issuer

OURS, FASTSTREAM = "tillstream", "FastStream, its documented way"
SERVICES = ("order", "loyalty", "notification")
CUSTOMERS, WARMING = 2_000, 200
FLAT_OUT_SECONDS = float(os.environ.get("TILL_BENCH_SECONDS", "5"))
AT_HALF_SECONDS = 2 * FLAT_OUT_SECONDS
LOOK_SECONDS = 0.002
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Placed:
    """An order and what must come of it."""

    order_id: str
    customer_id: str
    total_minor: int

    @property
    def points(self) -> int:
        return self.total_minor // 100


class Shop(ABC):
    """Three services with empty databases and topics, started and stopped. `port` is where orders are taken."""

    orders: ClassVar[str]
    balances: ClassVar[str]
    messages: ClassVar[str]
    recent: ClassVar[str]

    def __init__(self, infra: Infra, folder: Path) -> None:
        self.infra, self.folder = infra, folder
        self.port = free_port()
        self.name = f"shop{uuid4().hex[:8]}"
        self.databases = {service: infra.database(f"{service}_{self.name}") for service in SERVICES}
        self._log = (folder / "log").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []
        topics = Settings.read(
            service="order",
            environment="local",
            pg="",
            redis="",
            kafka=infra.kafka,
            namespace=self.name,
            partitions=PARTITIONS,
        )
        asyncio.run(ensure_topics(topics, ["order", "loyalty", "notification"]))
        self.topics = {service: topics.topic(service) for service in SERVICES}
        self.prepare()
        for service in SERVICES:
            command, environment = self.command(service)
            self.processes.append(self._spawn(command, environment))

    @abstractmethod
    def prepare(self) -> None:
        """Create the tables."""

    @abstractmethod
    def command(self, service: str) -> tuple[list[str], Mapping[str, str]]:
        """Return how a service is started, and with which environment."""

    @abstractmethod
    def headers(self, order: Placed) -> str:
        """Return what its API wants to be told besides."""

    def hops(self, orders: set[str]) -> dict[str, float]:  # noqa: ARG002 - only who keeps a log can tell
        """Return where the time of these orders went, as far as the databases know."""
        return {}

    def request(self, order: Placed) -> bytes:
        """Return the order as it goes over the wire."""
        body = json.dumps(order.__dict__).encode()
        head = f"POST /v1/orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{self.headers(order)}"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def must_live(self) -> None:
        for process in self.processes:
            if process.poll() is not None:
                raise RuntimeError(f"ended with {process.returncode}: {self.log_text()}")

    def log_text(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-1_500:]

    def close(self) -> None:
        for process in self.processes:
            end(process)
        self._log.close()
        for address in self.databases.values():
            forget(self.infra, address)

    def _spawn(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        log = self._log.fileno()
        return subprocess.Popen(command, env=dict(environment), stdout=log, stderr=log, start_new_session=True)


class OurShop(Shop):
    """The services of `shop.py`, each as `till-<name> all` runs it."""

    orders, balances, messages = "orders.orders", "balances.balances", "effect"
    recent = "SELECT id, key FROM effect WHERE id > %s"

    def prepare(self) -> None:
        issuer = Issuer(self.folder)
        self._token, self._jwks = issuer.token("cashier", stores=["404"]), issuer.jwks_file
        for service in SERVICES:
            command, environment = self.command(service)
            made = subprocess.run([*command[:-1], "migrate"], env=environment, capture_output=True, check=False)
            if made.returncode:
                raise RuntimeError(made.stderr.decode()[-2_000:])

    def command(self, service: str) -> tuple[list[str], Mapping[str, str]]:
        port = self.port if service == "order" else free_port()
        return [sys.executable, str(HERE / "shop.py"), service, "all"], {
            **{name: value for name, value in os.environ.items() if not name.startswith("TILL_")},
            "TILL_ENVIRONMENT": "local",
            "TILL_PG": self.databases[service],
            "TILL_KAFKA": self.infra.kafka,
            "TILL_REDIS": self.infra.redis,
            "TILL_NAMESPACE": self.name,
            "TILL_PARTITIONS": str(PARTITIONS),
            "TILL_PORT": str(port),
            "TILL_AUTH_ISSUER": ISSUER,
            "TILL_AUTH_AUDIENCE": AUDIENCE,
            "TILL_AUTH_JWKS_FILE": str(self._jwks),
            "TILL_LOG_LEVEL": "WARNING",
        }

    def headers(self, order: Placed) -> str:
        return f"Authorization: Bearer {self._token}\r\nIdempotency-Key: {order.order_id}\r\n"

    def hops(self, orders: set[str]) -> dict[str, float]:
        placed = dict(rows(self, "order", "SELECT data ->> 'order_id', recorded_at FROM events"))
        accrued = dict(rows(self, "loyalty", "SELECT data ->> 'purchase_id', recorded_at FROM events"))
        asked = dict(rows(self, "notification", "SELECT key, asked_at FROM effect"))
        first = [(accrued[order] - placed[order]).total_seconds() for order in orders]
        second = [(asked[order] - accrued[order]).total_seconds() for order in orders]
        return {
            "placed_to_points_p50_ms": milliseconds(first, 50),
            "points_to_message_p50_ms": milliseconds(second, 50),
        }


class TheirShop(Shop):
    """`peers/faststream_shop.py`, a process for each service."""

    orders, balances, messages = "orders", "balances", "message"
    recent = "SELECT id, key FROM message WHERE id > %s"

    def prepare(self) -> None:
        for service, statement in THEIR_TABLES.items():
            with psycopg.connect(self.databases[service], autocommit=True) as connection:
                connection.execute(statement)

    def command(self, service: str) -> tuple[list[str], Mapping[str, str]]:
        return [str(peers()), str(HERE / "peers" / "faststream_shop.py")], {
            **os.environ,
            "MODE": service,
            "PG": self.databases[service],
            "KAFKA": self.infra.kafka,
            "GROUP": f"{self.name}.{service}",
            "ORDERS": self.topics["order"],
            "POINTS": self.topics["loyalty"],
            "PORT": str(self.port),
        }

    def headers(self, order: Placed) -> str:  # noqa: ARG002 - it asks for none
        return ""


THEIR_TABLES = {
    "order": "CREATE TABLE orders (order_id text PRIMARY KEY, customer_id text NOT NULL, total_minor bigint NOT NULL)",
    "loyalty": "CREATE TABLE balances (customer_id text PRIMARY KEY, points bigint NOT NULL, orders bigint NOT NULL)",
    "notification": "CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE,"
    " customer_id text NOT NULL, points bigint NOT NULL)",
}


class Watcher(threading.Thread):
    """Notes when the message of each order was first seen."""

    OVERLAP = 500
    """Rows may become visible in another order than that of their ids, by no more than so many."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self._shop = shop
        self._connection = psycopg.connect(shop.databases["notification"], autocommit=True)
        self._over = threading.Event()

    def run(self) -> None:
        last = 0
        while not self._over.wait(LOOK_SECONDS):
            rows = self._connection.execute(self._shop.recent, [max(0, last - self.OVERLAP)], prepare=True).fetchall()
            now = time.perf_counter()
            for number, key in rows:
                self.seen.setdefault(key, now)
                last = max(last, number)

    def wait(self, count: int) -> None:
        """Wait until so many messages were seen."""
        moved, before = time.monotonic(), -1
        while (now := len(self.seen)) < count:
            if now != before:
                moved, before = time.monotonic(), now
            if time.monotonic() - moved > PATIENCE_SECONDS:
                raise Wrong(f"{now} of {count} messages came: {self._shop.log_text()}")
            self._shop.must_live()
            time.sleep(0.01)

    def close(self) -> None:
        self._over.set()
        self.join()
        self._connection.close()


class Orders:
    """A seeded run of orders, by customers who are all alike; remembers what was ordered."""

    def __init__(self) -> None:
        self._chance = random.Random(5)
        self._customers = [identity(self._chance) for _ in range(CUSTOMERS)]
        self.placed: list[Placed] = []

    def __iter__(self) -> Iterator[Placed]:
        while True:
            customer = self._chance.choice(self._customers)
            self.placed.append(Placed(identity(self._chance), customer, self._chance.randrange(100, 50_000)))
            yield self.placed[-1]


async def flat_out(shop: Shop, orders: Iterator[Placed], *, seconds: float, at_most: int | None = None) -> int:
    """Order as fast as is answered, for some time; return how many."""
    until, done = time.perf_counter() + seconds, 0

    async def till(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal done
        while time.perf_counter() < until and (at_most is None or done < at_most):
            done += 1
            await ask(reader, writer, shop.request(next(orders)))

    async with connections(shop.port) as free:
        await asyncio.gather(*[till(*free.get_nowait()) for _ in range(CONNECTIONS)])
    return done


async def at_rate(shop: Shop, orders: Iterator[Placed], rate: float) -> tuple[dict[str, float], dict[str, float]]:
    """Order at fixed times; return when each order was due, and when it was answered."""
    planned = [next(orders) for _ in range(int(rate * AT_HALF_SECONDS))]
    requests = [shop.request(order) for order in planned]
    due: dict[str, float] = {}
    answered: dict[str, float] = {}

    async def one(order_id: str, request: bytes) -> None:
        connection = await free.get()
        await ask(*connection, request)
        free.put_nowait(connection)
        answered[order_id] = time.perf_counter()

    async with connections(shop.port) as free:
        started, asking = time.perf_counter() + 0.05, []
        for number, (order, request) in enumerate(zip(planned, requests, strict=True)):
            due[order.order_id] = started + number / rate
            if (early := due[order.order_id] - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            asking.append(asyncio.create_task(one(order.order_id, request)))
        await asyncio.gather(*asking)
    return due, answered


def measure(shop: Shop) -> Sample:
    """Warm up, find the most it takes, and time orders at half of that."""
    orders = Orders()
    coming = iter(orders)
    reachable(shop)
    watcher = Watcher(shop)
    watcher.start()
    try:
        asyncio.run(flat_out(shop, coming, seconds=PATIENCE_SECONDS, at_most=WARMING))
        watcher.wait(len(orders.placed))
        started, cpu = time.perf_counter(), shop.cpu_seconds()
        amount = asyncio.run(flat_out(shop, coming, seconds=FLAT_OUT_SECONDS))
        watcher.wait(len(orders.placed))
        most, cpu = amount / (time.perf_counter() - started), shop.cpu_seconds() - cpu
        due, answered = asyncio.run(at_rate(shop, coming, most / 2))
        watcher.wait(len(orders.placed))
    finally:
        watcher.close()
    check(shop, orders.placed)
    times = [watcher.seen[order] - moment for order, moment in due.items()]
    facts = {f"p{share}_ms": milliseconds(times, share) for share in (50, 90, 99)}
    facts["answered_p50_ms"] = milliseconds([answered[order] - moment for order, moment in due.items()], 50)
    rates = {"orders_per_second_flat_out": most, "orders_per_second_at_half": most / 2}
    cost = {"cpu_us_per_order": cpu / amount * 1e6}
    return Sample(1, facts["p99_ms"] / 1000, cpu, {**facts, **shop.hops(set(due)), **rates, **cost})


def milliseconds(seconds: Iterable[float], share: int) -> float:
    """Return the time within which this share of them, in hundredths, was done."""
    ordered = sorted(seconds)
    return ordered[int(len(ordered) * share / 100)] * 1000


def reachable(shop: Shop) -> None:
    """Wait until its API takes connections; that messages come of orders is seen when it warms up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        shop.must_live()
        try:
            asyncio.run(_connect(shop.port))
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nobody takes orders: {shop.log_text()}")


async def _connect(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def check(shop: Shop, placed: list[Placed]) -> None:
    """Compare with the oracle: one row and one message for each order, and each customer's points to the last one."""
    totals: dict[str, tuple[int, int]] = {}
    for order in placed:
        points, count = totals.get(order.customer_id, (0, 0))
        totals[order.customer_id] = (points + order.points, count + 1)
    for service, query, wanted in (
        (
            "order",
            f"SELECT order_id, customer_id, total_minor FROM {shop.orders}",
            {tuple(vars(o).values()) for o in placed},
        ),
        ("loyalty", f"SELECT customer_id, points, orders FROM {shop.balances}", {(c, *t) for c, t in totals.items()}),
        ("notification", f"SELECT key FROM {shop.messages}", {(o.order_id,) for o in placed}),
    ):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while set(found := rows(shop, service, query)) != wanted or len(found) != len(wanted):
            if time.monotonic() > deadline:  # a message may be there before our own tables show what it is about
                raise Wrong(f"{query}: {len(found)} rows, {len(wanted)} wanted, {len(set(found) ^ wanted)} differ")
            time.sleep(0.1)


def rows(shop: Shop, service: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(shop.databases[service]) as connection:
        return connection.execute(query).fetchall()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def contender(infra: Infra, name: str, guarantee: str, kind: type[Shop], configuration: str) -> Contender:
    def run() -> Sample:
        before = sys.getswitchinterval()
        with tempfile.TemporaryDirectory(prefix="till-shop-", ignore_cleanup_errors=True) as folder:
            shop = kind(infra, Path(folder))
            sys.setswitchinterval(SWITCH_SECONDS)  # tills and watcher share an interpreter
            try:
                return measure(shop)
            finally:
                sys.setswitchinterval(before)
                shop.close()

    return Contender(name, guarantee, run, configuration)


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    documented = "documented: FastAPI router, @subscriber, @publisher, NACK_ON_ERROR"
    yield Contest(
        "order, points, message: p99 at half load, of one second this part",
        "1/p99",
        [
            contender(infra, OURS, EXACT, OurShop, "three services, each `all`; every setting as it comes"),
            contender(infra, FASTSTREAM, "loses or counts twice after a kill", TheirShop, documented),
        ],
        [Claim(FASTSTREAM, 3)],
        [Bound("p50_ms", 15), Bound("p99_ms", 75)],
    )
