"""B10: `kill -9` of a projector under half of its load, until what the tables show is less than a second behind again.

Payments come at a fixed rate, whatever the contender does. Restarted at once, as a supervisor would; or taken over by an instance that runs
beside. The contender `within … s` is the promise itself: a clock that takes that long.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from catch_up import CONVERGES, EXACT, TWICE
from catching import HERE, LOOK_SECONDS, OurProgram, Program, Run, end, kill, running
from contest import Claim, Contender, Contest, Sample, Wrong
from payments import Oracle, Story, Topic
from peers.setup import peers

from till_platform.testing.infra import Infra

SESSION_SECONDS = 10.0
SETTLING_SECONDS = 3.0
PATIENCE_SECONDS = 150.0
LAG_SECONDS = 1.0
RESTARTED, TAKEN_OVER = "tillstream restarted", "tillstream taken over"
SOON, LATER = "within 3 s", "within the session timeout and 3 s"


@dataclass(frozen=True)
class Load:
    """Who is killed under how many payments a second: about half of what he does beside the one who makes them."""

    program: Program
    rate: int
    beside: bool = False


class Till(threading.Thread):
    """Tells payments at a fixed rate until stopped, and remembers how many had been told when."""

    def __init__(self, topic: Topic, rate: int) -> None:
        super().__init__(daemon=True)
        self.oracle = Oracle({}, {})
        self._topic, self._rate = topic, rate
        self._told: deque[tuple[float, int]] = deque([(0.0, 0)])
        self._stop_telling = threading.Event()

    def run(self) -> None:
        payments, started = iter(Story(10**9)), time.monotonic()
        while not self._stop_telling.wait(0.01):
            due = int((time.monotonic() - started) * self._rate)
            while self.oracle.payments < due:
                payment = next(payments)
                self._topic.tell(payment)
                self.oracle.take(payment)
            self._topic.flush()
            self._told.append((time.monotonic(), self.oracle.payments))

    def told_before(self, moment: float) -> int:
        """How many had been told by then."""
        while len(self._told) > 1 and self._told[1][0] <= moment:
            self._told.popleft()
        return self._told[0][1]

    def end(self) -> None:
        self._stop_telling.set()
        self.join()


def contender(infra: Infra, name: str, guarantee: str, load: Load, configuration: str) -> Contender:
    def run() -> Sample:
        topic = Topic(infra.kafka, f"kill{uuid4().hex[:8]}").create()
        with running(infra, topic, load.program) as started:
            till = Till(topic, load.rate)
            till.start()
            try:
                return recovery(started, till, load)
            finally:
                till.end()

    return Contender(name, guarantee, run, f"{configuration}; {load.rate:,} payments/s")


def recovery(run: Run, till: Till, load: Load) -> Sample:
    """Kill it when it has kept up for a while, and wait until it does again."""
    victim = run.start()
    if load.beside:
        run.start()
    keeps_up(run, till)
    time.sleep(SETTLING_SECONDS)  # what is killed runs evenly, not just begun
    keeps_up(run, till)
    kill(victim)
    run.processes.remove(victim)
    killed_at = time.monotonic()
    if not load.beside:
        run.start()
    behind = False
    while not behind:  # a kill is only seen once the tables fall behind; one that is never seen took no time
        behind = till.told_before(time.monotonic() - LAG_SECONDS) > run.payments()
        if time.monotonic() - killed_at > SESSION_SECONDS:
            break
        time.sleep(LOOK_SECONDS)
    keeps_up(run, till)
    seconds = time.monotonic() - killed_at
    till.end()
    return Sample(1, seconds, None, after_all(run, till.oracle))


def keeps_up(run: Run, till: Till) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while run.payments() < max(1, till.told_before(time.monotonic() - LAG_SECONDS)):
        run.must_live()
        if time.monotonic() > deadline:
            raise Wrong(f"does not keep up: {run.payments()} of {till.oracle.payments} payments; {run.log_text()}")
        time.sleep(LOOK_SECONDS)


def after_all(run: Run, oracle: Oracle) -> dict[str, int]:
    """Wait for the rest; who promises to count everything once is held to it, of others it is noted what they counted twice."""
    before, deadline = -1, time.monotonic() + PATIENCE_SECONDS
    while (now := run.payments()) < oracle.payments or run.paid_minor() != oracle.paid_minor or now != before:
        if time.monotonic() > deadline:
            break
        before = now
        time.sleep(0.5)
    for process in run.processes:
        end(process)
    if isinstance(run.program, OurProgram):
        oracle.check(run.connection, run.program.balances, run.program.orders)
    return {"payments": oracle.payments, "counted_twice": now - oracle.payments}


def promise(name: str, seconds: float) -> Contender:
    return Contender(name, "", lambda: Sample(1, seconds))


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    python = peers()
    faststream = Program([python, HERE / "peers" / "faststream_peer.py"], "batch")
    quix = Program([python, HERE / "peers" / "quix_peer.py"], "tuned")
    faust = Program([python, HERE / "peers" / "faust_peer.py"])
    timeout = {"TILL_SESSION_TIMEOUT_MS": str(int(SESSION_SECONDS * 1_000))}
    alone = Load(OurProgram(environment={**timeout, "TILL_INSTANCE": "one"}), 8_000)
    beside = Load(OurProgram(environment=timeout), 8_000, beside=True)
    yield Contest(
        "kill -9 until less than a second behind",
        "recoveries/s",
        [
            contender(infra, RESTARTED, EXACT, alone, "TILL_INSTANCE set, as in a StatefulSet"),
            contender(infra, TAKEN_OVER, EXACT, beside, "two instances, session timeout 10 s"),
            promise(SOON, 3.0),
            promise(LATER, SESSION_SECONDS + 3.0),
            contender(infra, "FastStream batch restarted", TWICE, Load(faststream, 2_000), "default, NACK_ON_ERROR"),
            contender(infra, "Quix Streams tuned, restarted", CONVERGES, Load(quix, 2_000), "tuned"),
            contender(infra, "Faust take(500) restarted", TWICE, Load(faust, 1_000), "default"),
        ],
        [Claim(SOON, 1), Claim(LATER, 1, of=TAKEN_OVER)],
    )
