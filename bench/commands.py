"""B2: a command over HTTP, answered 201 when it is committed; against the same endpoint of the same service that stores nothing.

Both check the token, hash the request for its idempotency key, decide, and render the reply; the one reads the aggregate before, and stores
events and answer, and the other does not.

64 connections, each asking again as soon as it is answered, give the rate. Then half that rate is asked for at fixed times, each answer
timed from when its request was due: a slow answer makes all behind it late, and that counts.
"""

import asyncio
import itertools
import json
import multiprocessing
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import psycopg
import uvloop
from append import OURS, Order
from contest import Bound, Claim, Contender, Contest, Sample, Wrong
from fastapi import APIRouter
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel

from till_platform.eventstore.schema import migrate
from till_platform.http import LogDep, Once
from till_platform.process import serve
from till_platform.service import Service
from till_platform.settings import Settings
from till_platform.testing.infra import Infra

CONNECTIONS, REQUESTS, SECONDS_AT_HALF = 64, 8_000, 10
LIMIT = "the same route without a store"
ISSUER = "https://bench.example"
router = APIRouter(prefix="/v1")


class PaymentBody(BaseModel):
    order_id: str
    store_id: str
    method: str
    amount_minor: int
    currency: str


class PaymentReply(BaseModel):
    order_id: str
    version: int

    @classmethod
    def of(cls, order: Order) -> "PaymentReply":
        return cls(order_id=order.identity, version=order.version)


@router.post("/stored", status_code=201)
async def stored(body: PaymentBody, log: LogDep, once: Once) -> PaymentReply:
    async def command() -> Order:
        order = await log.find(Order, body.order_id)
        order.pay(body.order_id)
        await log.save(order)
        return order

    return await once(command, PaymentReply.of)


@router.post("/forgotten", status_code=201)
async def forgotten(body: PaymentBody, log: LogDep, once: Once) -> PaymentReply:  # noqa: ARG001 - the same endpoint; nothing is asked of them
    order = Order(Order.stream(body.order_id))
    order.pay(body.order_id)
    return PaymentReply.of(order)


class Server:
    """The service in a process of its own, as `till-order api` runs it."""

    def __init__(self, infra: Infra, folder: Path) -> None:
        key = ECKey.generate_key("P-256", {"kid": "bench", "use": "sig", "alg": "ES256"})
        jwks = folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        self.address = infra.database("commands")
        with psycopg.connect(self.address, autocommit=True) as connection:
            migrate(connection)
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "bench", "sub": "till", "iat": now, "exp": now + 86_400, "roles": ["cashier"]}
        self.token = jwt.encode({"alg": "ES256", "kid": "bench"}, {**claims, "stores": ["404"]}, key)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        settings = {
            "service": "order",
            "environment": "local",
            "pg": self.address,
            "kafka": infra.kafka,
            "redis": infra.redis,
            "auth_issuer": ISSUER,
            "auth_audience": "bench",
            "auth_jwks_file": str(jwks),
            "cursor_secret": "for cursors",
            "port": self.port,
        }
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(settings,))
        self._process.start()
        self.numbers = itertools.count()
        self._wait()

    def close(self) -> None:
        self._process.terminate()
        self._process.join(30)

    def cpu_seconds(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def count(self) -> int:
        with psycopg.connect(self.address) as connection:
            (found,) = connection.execute("SELECT count(*) FROM log").fetchone() or (0,)
        return int(found)

    def request(self, path: str) -> bytes:
        number = next(self.numbers)
        amounts = {"method": "card", "amount_minor": 12_345, "currency": "USD"}
        body = json.dumps({"order_id": f"o-{number}", "store_id": "404", **amounts}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\nIdempotency-Key: k-{number}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("the service did not come up")


def _serve(settings: dict[str, str]) -> None:
    service = Service(name="order", projections=(), routers=[router])
    serve(service, Settings.read(**settings), frozenset({"api"}))


@asynccontextmanager
async def connections(port: int) -> AsyncIterator["asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]"]:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    for one in opened:
        free.put_nowait(one)
    yield free
    for _, writer in opened:
        writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    if not head.startswith(b"HTTP/1.1 201"):
        raise Wrong(f"answered {head[:40]!r} {body[:300]!r}")


async def flat_out(server: Server, path: str) -> float:
    left = iter(range(REQUESTS))
    requests = [server.request(path) for _ in range(REQUESTS)]

    async def till(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in left:
            await ask(reader, writer, requests[number])

    async with connections(server.port) as free:
        started = time.perf_counter()
        await asyncio.gather(*[till(*free.get_nowait()) for _ in range(CONNECTIONS)])
        return time.perf_counter() - started


async def at_rate(server: Server, path: str, rate: float) -> list[float]:
    """Ask at fixed times and return what each answer took since it was due."""
    count = int(rate * SECONDS_AT_HALF)
    requests = [server.request(path) for _ in range(count)]
    times: list[float] = []

    async def one(due: float, request: bytes) -> None:
        connection = await free.get()
        await ask(*connection, request)
        free.put_nowait(connection)
        times.append(time.perf_counter() - due)

    async with connections(server.port) as free:
        started, asking = time.perf_counter(), []
        for number, request in enumerate(requests):
            due = started + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            asking.append(asyncio.create_task(one(due, request)))
        await asyncio.gather(*asking)
    return sorted(times)


def contender(name: str, guarantee: str, server: Server, path: str, *, stores: bool) -> Contender:
    def run() -> Sample:
        before, cpu = server.count(), server.cpu_seconds()
        seconds = uvloop.run(flat_out(server, path))
        cpu = server.cpu_seconds() - cpu
        times = uvloop.run(at_rate(server, path, REQUESTS / seconds / 2))
        if stores and server.count() - before != REQUESTS + len(times):
            raise Wrong(f"{server.count() - before} events for {REQUESTS + len(times)} commands")
        facts = {f"p{share}_ms": times[int(len(times) * share / 100)] * 1000 for share in (50, 99)}
        return Sample(REQUESTS, seconds, cpu, facts)

    return Contender(name, guarantee, run)


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(infra, Path(folder))
        try:
            yield Contest(
                "a command over HTTP, answered when it is committed",
                "requests/s",
                [
                    contender(
                        OURS, "committed, and answered once whatever is repeated", server, "/v1/stored", stores=True
                    ),
                    contender(LIMIT, "none", server, "/v1/forgotten", stores=False),
                ],
                [Claim(LIMIT, 0.7)],
                [Bound("p99_ms", 25)],
            )
        finally:
            server.close()
