"""`make bench-growth ONLY=B1,B4,B6`: how cost grows with what is there already: a year of payments, three of them, and ten.

A year is as many payments as the Complete Journey has receipts (`TILL_BENCH_YEAR`); the next one has other customers and orders and is a
year later. To reach: at ten years not more than 10 % slower than at one, judged within each round. The plot goes to `bench/results`.
"""

import itertools
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from append import Order, appending, payment
from catch_up import EXACT, OUR_PROGRAM, Stage
from catching import Watch, end, running
from contest import Claim, Contender, Contest, Open, Sample, Wrong, interval, say
from payments import Years, topic_of
from plot import Line, Point, svg_of
from psycopg.errors import InsufficientPrivilege
from replay import caught_up, digests, rebuild
from run import FULL_ROUNDS, ended, measure, options

from till_platform.context import Context
from till_platform.domain import RecordedEvent
from till_platform.eventstore.append import Commit, append
from till_platform.eventstore.log import Log
from till_platform.eventstore.schema import migrate
from till_platform.eventstore.stored import LoggedEvent
from till_platform.testing.infra import Infra
from till_platform.testing.logs import open_log

YEAR = int(os.environ.get("TILL_BENCH_YEAR", "155848"))
SIZES = (1, 3, 10)
NO_SLOWER = 0.9
LOOK_UPS, AT_ONCE = 2_000, 5_000
PLOT = Path(__file__).parent / "results" / "growth.svg"

NEXT_YEAR = """
INSERT INTO log SELECT position + %(first)s, stream || %(mark)s, sequence,
    overlay(id::text placing %(prefix)s from 1 for 4)::uuid, type, key || %(mark)s, data, public,
    occurred_at + %(later)s, recorded_at + %(later)s, correlation_id, causation_id, actor, store_id, traceparent
FROM log WHERE position <= %(year)s ORDER BY position
"""


def name_of(years: int) -> str:
    return f"{years} x {YEAR:,} events"


def contest(what: str, unit: str, contenders: list[Contender]) -> Contest:
    """Each is judged by the smallest. The contenders come in the order of `SIZES`."""
    first, *others = [one.name for one in contenders]
    return Contest(what, unit, contenders[::-1], [Claim(first, NO_SLOWER, of=other) for other in reversed(others)])


def filled_log(infra: Infra, years: int) -> str:
    """Return a database whose log holds so many years: the first one appended, the others copied with ids and dates shifted."""
    address = infra.database(f"years{years}")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
        for first in range(0, YEAR, AT_ONCE):
            numbers = range(first, min(YEAR, first + AT_ONCE))
            rows = [
                LoggedEvent.of(RecordedEvent(f"order-y-{n}", 1, payment(f"y-{n}"), f"customer-{n}")) for n in numbers
            ]
            with connection.transaction():
                append(connection, [Commit(rows, Context(correlation_id="bench"))])
        for year in range(1, years):
            shifted = {"mark": f"-{year}", "prefix": f"{0x200 + year:04x}", "first": year * YEAR, "year": YEAR}
            connection.execute(NEXT_YEAR, {**shifted, "later": f"{year * 365} days"})
        connection.execute("UPDATE log_head SET position = %s", [years * YEAR])
        connection.execute("VACUUM (FREEZE, ANALYZE) log")
        with suppress(InsufficientPrivilege):
            connection.execute("CHECKPOINT")
    say(f"a log of {name_of(years)}")
    return address


@contextmanager
def open_appending(infra: Infra) -> Iterator[Contest]:
    yield contest(
        "B1: appending, 64 callers",
        "events/s",
        [appending(name_of(years), filled_log(infra, years), years * YEAR) for years in SIZES],
    )


@contextmanager
def open_looking_up(infra: Infra) -> Iterator[Contest]:
    yield contest(
        "an aggregate found by its id, nothing cached by us",
        "look-ups/s",
        [looking_up(filled_log(infra, years), years) for years in SIZES],
    )


def looking_up(address: str, years: int) -> Contender:
    chance = random.Random(years)

    def names() -> Iterator[str]:
        while True:
            year = chance.randrange(years)
            yield f"y-{chance.randrange(YEAR)}" + (f"-{year}" if year else "")

    async def look(log: Log, wanted: list[str]) -> int:
        found = [await log.find(Order, name) for name in wanted]
        return sum(order.version for order in found)

    def run() -> Sample:
        wanted = list(itertools.islice(names(), LOOK_UPS))
        with open_log(address) as log:
            started = time.perf_counter()
            events = uvloop.run(look(log, wanted))
            seconds = time.perf_counter() - started
        if events != LOOK_UPS:
            raise Wrong(f"{LOOK_UPS} orders of one event each have {events}")
        return Sample(LOOK_UPS, seconds)

    return Contender(name_of(years), EXACT, run)


@contextmanager
def open_catching_up(infra: Infra) -> Iterator[Contest]:
    stages = [(years, topic_of(infra.kafka, f"years{years}", Years(years, YEAR))) for years in SIZES]
    contenders = [catching_up(infra, years, stage) for years, stage in stages]
    yield contest("B4: catching up, the last nine tenths of the last year", "events/s", contenders)


def catching_up(infra: Infra, years: int, stage: Stage) -> Contender:
    def run() -> Sample:
        topic, oracle = stage
        with running(infra, topic, OUR_PROGRAM) as started:
            started.start()
            watch = Watch(started)
            while watch.seen < oracle.payments - YEAR * 9 // 10:
                watch.look()
            at, seen = time.perf_counter(), watch.seen
            while watch.seen < oracle.payments or started.paid_minor() < oracle.paid_minor:
                watch.look()
            sample = Sample(oracle.payments - seen, time.perf_counter() - at)
            oracle.check(started.connection, started.program.balances, started.program.orders)
            return sample

    return Contender(name_of(years), EXACT, run, "the worker; TILL_MAX_BATCH=5000")


@contextmanager
def open_replaying(infra: Infra) -> Iterator[Contest]:
    with ExitStack() as stack:
        contenders = []
        for years in SIZES:
            live, oracle = stack.enter_context(caught_up(infra, f"replay{years}", Years(years, YEAR)))
            end(live.processes.pop())  # three idle workers more would cost the one that is timed
            contenders.append(replaying(live, oracle.payments, years))
        yield contest("B6: replaying everything and swapping", "events/s", contenders)


def replaying(live: Any, payments: int, years: int) -> Contender:
    def run() -> Sample:
        before = digests(live)
        done = rebuild(live, OUR_PROGRAM)
        if (after := digests(live)) != before:
            raise Wrong(f"the rebuilt tables are {after}, the live ones were {before}")
        return done.sample(payments, {})

    return Contender(name_of(years), EXACT, run, "`rebuild`, one process")


BENCHMARKS: dict[str, Open] = {
    "B1": open_appending,
    "B4": open_catching_up,
    "B6": open_replaying,
    "look-ups": open_looking_up,
}


def line_of(report: dict[str, Any]) -> Line:
    """What the plot shows of a benchmark: the speed at each size by that at the first, in the same round."""
    samples = {one["name"]: one["samples"] for one in report["contenders"]}
    points = []
    for years in SIZES:
        pairs = zip(samples[name_of(years)], samples[name_of(SIZES[0])], strict=True)
        speeds = [_rate(sample) / _rate(first) for sample, first in pairs if sample and first]
        points += [Point(years, *interval(speeds))] if speeds else []
    return Line(report["title"].partition(",")[0], points)


def _rate(sample: dict[str, Any]) -> float:
    return float(sample["amount"] / sample["seconds"])


def main() -> int:
    chosen = options(str(__doc__), BENCHMARKS)
    reports = measure(chosen, [(f"growth-{number}", BENCHMARKS[number]) for number in chosen.only.split(",")])
    if chosen.rounds >= FULL_ROUNDS:
        PLOT.write_text(svg_of([line_of(report) for report in reports], NO_SLOWER))
    return ended(chosen, reports)


if __name__ == "__main__":
    sys.exit(main())
