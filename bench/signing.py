"""What signing costs those who append: 64 callers of one event each, with a worker that signs beside them and without one, in turns.

`python bench/signing.py`. The signer is a process of its own and steps back, as the worker of a service does; it signs at once here,
so that each slice holds heads. Appends go to a database with a signer and to one without, slice by slice; the ratio is taken within a pair.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import structlog
from stack import machine

from till_events.ids import new_id
from till_events.order import OrderPaymentRecorded
from till_platform.audit.keys import new_key
from till_platform.audit.signing import Signing
from till_platform.domain import Aggregate
from till_platform.eventstore.schema import migrate
from till_platform.local import LocalStack
from till_platform.parts import Parts, open_parts
from till_platform.settings import Settings

CALLERS, SLICE_SECONDS, PAUSE_SECONDS, ROUNDS = 64, 1.0, 0.2, int(os.environ.get("ROUNDS", "40"))
RESULTS = Path(__file__).parent / "results"


class Payment(Aggregate):
    kind = "payment"

    def apply(self, event: OrderPaymentRecorded) -> None:
        self.paid = event.paid_minor


def payment() -> Payment:
    made = Payment(Payment.stream(new_id()))
    given = {
        "order_id": made.identity,
        "store_id": "s-1",
        "payment_id": made.identity,
        "method": "card",
        "currency": "USD",
    }
    made.record(OrderPaymentRecorded(occurred_at=datetime.now(UTC), amount_minor=100, paid_minor=100, **given))
    return made


def settings_of(dsn: str, key: str | None) -> Settings:
    given = {
        "service": "order",
        "environment": "local",
        "pg": dsn,
        "kafka": "k",
        "redis": "redis://r",
        "audit_key": key,
    }
    return Settings.read(**given)


async def append(parts: Parts) -> float:
    """Append for a slice of time and return how many events a second."""
    until = time.perf_counter() + SLICE_SECONDS
    saved = 0

    async def caller() -> None:
        nonlocal saved
        while time.perf_counter() < until:
            await parts.log.save(payment())
            saved += 1

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return saved / (time.perf_counter() - started)


async def sign(dsn: str) -> None:
    """What the worker's job does, more often."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    settings = settings_of(dsn, new_key())
    os.nice(10)
    async with open_parts(settings) as parts:
        signing = Signing(settings)
        print("ready", flush=True)
        while True:
            await signing.sign(parts)
            await asyncio.sleep(0.2)


async def measure(plain: str, signed: str) -> list[dict[str, float]]:
    rounds = []
    async with open_parts(settings_of(plain, None)) as without, open_parts(settings_of(signed, None)) as beside:
        for parts in (without, beside):
            await append(parts)  # warm
        for _ in range(ROUNDS):
            figures = {}
            for name, parts in random.sample([("plain", without), ("signed", beside)], 2):
                figures[name] = await append(parts)
                await asyncio.sleep(PAUSE_SECONDS)
            rounds.append({**figures, "ratio": figures["signed"] / figures["plain"]})
    return rounds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder))
        stack.postgres_part.start()
        try:
            plain, signed = (stack.database(name) for name in ("plain", "signed"))
            for dsn in (plain, signed):
                with psycopg.connect(dsn, autocommit=True) as connection:
                    migrate(connection)
            signer = psutil.Popen([sys.executable, __file__, "sign", signed], stdout=subprocess.PIPE)
            signer.stdout.readline()  # it has loaded everything
            before, own = sum(signer.cpu_times()[:2]), time.process_time()
            rounds = asyncio.run(measure(plain, signed))
            cpu = {"appending": time.process_time() - own, "signing": sum(signer.cpu_times()[:2]) - before}
            signer.terminate()
            signer.wait()
            with psycopg.connect(signed) as connection:
                heads, events = connection.execute(
                    "SELECT count(*) FILTER (WHERE type ~ 'LogSigned'), count(*) FROM log"
                ).fetchone()
        finally:
            stack.postgres_part.stop()
    ratios = [one["ratio"] for one in rounds]
    medians = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(10_000))
    result = {
        "what": "appends a second, 64 callers of one event each: with signing over without",
        "ratio_median": statistics.median(ratios),
        "ratio_median_95": [medians[250], medians[9_750]],
        "heads": heads,
        "signing_cpu_us_per_event": cpu["signing"] / events * 1e6,
        "cpu_seconds": cpu,
        "rounds": rounds,
        "load": os.getloadavg()[0],
        "machine": machine(),
    }
    file = RESULTS / f"signing-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(file, {name: value for name, value in result.items() if name not in {"rounds", "machine"}})


if __name__ == "__main__":
    asyncio.run(sign(sys.argv[2])) if len(sys.argv) > 1 else main()
