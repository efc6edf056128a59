"""B6: all read models built anew from the first event, as `till projections rebuild` does it, while tills go on reading the live ones.

Timed is from the first batch to the end of the process, the swap included; starting up does not count. The live worker stays up. Reads are
asked for at fixed times, each timed from when it was due, for some seconds before and all the while; both in the same round.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
from catch_up import EXACT, OUR_PROGRAM
from catching import OurProgram, Run, Watch, running
from contest import Bound, Claim, Contender, Contest, Sample, Wrong, say
from payments import Oracle, Story, topic_of
from projector import Balances, LastPayments

from till_events.order import OrderPaymentRecorded
from till_platform.projections import tables
from till_platform.testing.infra import Infra

EVENTS = int(os.environ.get("TILL_BENCH_REPLAY", "1000000"))
OURS, GOAL = "tillstream", "60,000 events/s on one core"
READS_A_SECOND, QUIET_SECONDS = 200, 5.0
SAID_EVERY = 50
"""Of so many lines that the rebuild tells, one a batch, one is passed on."""
READ = "SELECT customer_id, points, payments FROM balances.balances WHERE customer_id = %s"


class Tills(threading.Thread):
    """Asks for customers' balances at fixed times until told to end; an answer that is not the oracle's is noted."""

    def __init__(self, run: Run, oracle: Oracle) -> None:
        super().__init__(daemon=True)
        self.milliseconds: list[float] = []
        self.wrong: list[str] = []
        self._wanted = oracle.balances
        self._connection = psycopg.connect(run.job["PG"], autocommit=True, prepare_threshold=0)
        self._over = threading.Event()

    def run(self) -> None:
        customers, started = list(self._wanted), time.perf_counter()
        while not self._over.is_set():
            number = len(self.milliseconds)
            due = started + number / READS_A_SECOND
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            customer = customers[number * 7 % len(customers)]
            row = self._connection.execute(READ, [customer]).fetchone()
            self.milliseconds.append((time.perf_counter() - due) * 1000)
            if row is None or row[1:] != self._wanted[customer]:
                self.wrong.append(customer)

    def stop(self) -> None:
        self._over.set()

    def end(self) -> list[float]:
        """Return what each answer took, the shortest first."""
        self.stop()
        self.join()
        self._connection.close()
        if self.wrong:
            raise Wrong(f"{len(self.wrong)} reads of {len(self.milliseconds)} were not what was there all the time")
        return sorted(self.milliseconds)


@dataclass
class Rebuilding:
    """A rebuild that has ended: when which number of records had been read, as it told itself."""

    told: list[tuple[float, int]] = field(default_factory=list)
    ended_at: float = 0.0
    cpu_seconds: float = 0.0

    def sample(self, total: int, facts: dict[str, Any]) -> Sample:
        """What was done between the first batch and the end."""
        at, read = self.told[0]
        amount = total - read
        cost = {"cpu_us_an_event": self.cpu_seconds / amount * 1e6}
        return Sample(amount, self.ended_at - at, self.cpu_seconds, {**facts, **cost})


def rebuild(run: Run, program: OurProgram) -> Rebuilding:
    """Run it and listen to what it tells."""
    done, complaints = Rebuilding(), []
    command, environment = program.how(run.job, "rebuild")
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    before = 0.0
    assert process.stderr is not None
    for line in process.stderr:
        if not line.startswith(b'{"read":'):
            complaints.append(line)
            continue
        told = json.loads(line)
        if not done.told:
            times = psutil.Process(process.pid).cpu_times()
            before = times.user + times.system
        done.told.append((time.perf_counter(), told["read"]))
        if len(done.told) % SAID_EVERY == 0:
            say(f"{told['read']:,} of {told['total']:,} replayed, {told['per_second']:,} a second")
    _, status, usage = os.wait4(process.pid, 0)
    done.ended_at = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not done.told:
        raise Wrong(f"ended with {process.returncode}: {b''.join(complaints).decode(errors='replace')[-1_500:]}")
    done.cpu_seconds = usage.ru_utime + usage.ru_stime - before
    return done


@contextmanager
def caught_up(infra: Infra, name: str, story: Iterable[OrderPaymentRecorded]) -> Iterator[tuple[Run, Oracle]]:
    """Put a story on a topic and let the live worker take all of it; it stays up."""
    topic, oracle = topic_of(infra.kafka, name, story)
    with running(infra, topic, OUR_PROGRAM) as run:
        run.start()
        watch = Watch(run)
        while watch.seen < oracle.payments or run.paid_minor() < oracle.paid_minor:
            watch.look()
        oracle.check(run.connection, run.program.balances, run.program.orders)
        yield run, oracle


def digests(run: Run) -> list[str]:
    parts = Balances(), LastPayments()
    return [tables.digest(run.connection, part, part.name) for part in parts]


def replay(run: Run, oracle: Oracle) -> Sample:
    """Rebuild once, and see that readers and rows are none the worse."""
    before = digests(run)
    undisturbed = Tills(run, oracle)
    undisturbed.start()
    time.sleep(QUIET_SECONDS)
    calm = undisturbed.end()
    tills = Tills(run, oracle)
    tills.start()
    try:
        done = rebuild(run, OUR_PROGRAM)
    finally:
        tills.stop()
    busy = tills.end()
    if (after := digests(run)) != before:
        raise Wrong(f"the rebuilt tables are {after}, the live ones were {before}")
    oracle.check(run.connection, run.program.balances, run.program.orders)
    p99, p99_before = (times[int(len(times) * 0.99)] for times in (busy, calm))
    facts = {"reads": len(busy), "reads_p99_ms": p99, "reads_p99_ms_without": p99_before}
    return done.sample(oracle.payments, {**facts, "reads_p99_ratio": p99 / p99_before})


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    with caught_up(infra, "replay", Story(EVENTS)) as (run, oracle):
        yield Contest(
            f"a full replay of {EVENTS:,} events into two tables beside the live ones, and the swap",
            "events/s",
            [
                Contender(
                    OURS, EXACT, lambda: replay(run, oracle), "`rebuild`, one process; every setting as it comes"
                ),
                Contender(GOAL, "", lambda: Sample(60_000, 1.0)),
            ],
            [Claim(GOAL, 1)],
            [Bound("cpu_us_an_event", 1e6 / 60_000), Bound("reads_p99_ratio", 1.5)],
        )
