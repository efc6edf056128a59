"""`make faults-peers`: the same faults against us and our peers, on real Kafka and PostgreSQL. Events lost and effects doubled, of 100,000.

Payments happen at a fixed rate; the effect of each is one more payment in the balance of its customer. 20,000 customers pay equally often,
so that a loss and a double seldom meet in one balance. What a contender has in the end is compared with the payments that happened.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from catching import HERE, OurProgram, Program, Run, end, running
from payments import CUSTOMERS, Story, Topic
from peers.setup import peers
from stack import machine
from striking import FAULTS, INSTANCES, Stage

from till_platform.testing.infra import KINDS, Infra, provide

WRITERS = 4
REMEMBERED = 2_000
LONGEST_SETTLING_SECONDS = 150.0
AT_ONCE = 3
"""So many contenders at a time: what is counted is no speed, and together they take half of the machine."""
RATE, OWN_LOG_RATE = 1_000, 300
KAFKA_SESSION_SECONDS = 10.0
LIBRDKAFKA_SESSION_SECONDS = 45.0
Found = Mapping[str, int]


@dataclass(frozen=True)
class Entrant:
    """Somebody under faults."""

    name: str
    program: Program
    rate: int
    session_seconds: float
    configuration: str
    own_log: bool = False


@dataclass
class Trial:
    """What one contender made of one fault."""

    who: str
    fault: str
    seed: int
    configuration: str
    events: int = 0
    lost: int = 0
    doubled: int = 0
    strikes: int = 0
    delivered_again: int = 0
    ended_by_themselves: int = 0
    seconds: float = 0.0
    settled_seconds: float = 0.0
    failure: str | None = None


class Apart(Program):
    """Each process has a folder of its own, as each container would."""

    def start(self, job: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
        return super().start({**job, "FOLDER": tempfile.mkdtemp(dir=job["FOLDER"])}, log)


def entrants() -> list[Entrant]:
    """Ours, and the peers in the way their documentation shows."""
    python = peers()
    ours = OurProgram(environment={"TILL_SESSION_TIMEOUT_MS": str(int(KAFKA_SESSION_SECONDS * 1_000))})
    faststream = partial(Program, [python, HERE / "peers" / "faststream_peer.py"])
    quix = Apart([python, HERE / "peers" / "quix_peer.py"], "default")
    library = Program([python, HERE / "peers" / "eventsourcing_peer.py"], "project")
    return [
        Entrant("tillstream", ours, RATE, KAFKA_SESSION_SECONDS, "the worker, two instances"),
        Entrant(
            "FastStream", faststream("documented"), RATE, KAFKA_SESSION_SECONDS, "documented: batch, ack by default"
        ),
        Entrant("FastStream NACK_ON_ERROR", faststream("batch"), RATE, KAFKA_SESSION_SECONDS, "batch, NACK_ON_ERROR"),
        Entrant("Quix Streams", quix, RATE, LIBRDKAFKA_SESSION_SECONDS, "default: state, its PostgreSQLSink"),
        Entrant(
            "eventsourcing, database functions",
            library,
            OWN_LOG_RATE,
            KAFKA_SESSION_SECONDS,
            f"{WRITERS} writers, one projector",
            True,
        ),
    ]


class Happening:
    """Payments that happen at a fixed rate, on a topic that remembers the last ones."""

    def __init__(self, topic: Topic, rate: int) -> None:
        self.expected: Counter[str] = Counter()
        self.delivered_again = 0
        self._topic, self._rate = topic, rate
        self._story = iter(Story(10**9, zipf=0.0))
        self._last: deque[Callable[[], None]] = deque(maxlen=REMEMBERED)
        self._began = time.monotonic()
        self._told = 0
        self._producer = topic._producer  # noqa: SLF001 - it stands between the topic and its producer
        topic._producer = self  # type: ignore[assignment]  # noqa: SLF001

    def produce(self, *what: Any, **how: Any) -> None:
        """Send a record, and remember it."""
        self._last.append(partial(self._producer.produce, *what, **how))
        self._producer.produce(*what, **how)

    def poll(self, seconds: float) -> int:
        return int(self._producer.poll(seconds))

    def flush(self, seconds: float) -> int:
        return int(self._producer.flush(seconds))

    def tell(self) -> None:
        """Let happen what is due by now."""
        due = int((time.monotonic() - self._began) * self._rate)
        for payment in itertools.islice(self._story, max(0, due - self._told)):
            self._topic.tell(payment)
            self.expected[str(payment.customer_id)] += 1
        self._told = max(due, self._told)
        self._topic.flush()

    def again(self, amount: int) -> None:
        """Deliver the last payments once more, as a relay does that was set back."""
        self._topic.flush()
        repeated = list(self._last)[-amount:]
        for send in repeated:
            send()
        self.delivered_again += len(repeated)


class OwnLog:
    """The log of `eventsourcing`, and the processes that write to it: each order is one event and has its number for an id."""

    def __init__(self, infra: Infra, run: Run, rate: int) -> None:
        self.address = infra.database(f"log_{uuid4().hex[:8]}")
        self.connection = psycopg.connect(self.address, autocommit=True)
        self._run, self._rate, self._numbers = run, rate, iter(range(10**6))
        run.job |= {"LOG": self.address, "FUNCTIONS": "y"}

    def start_writer(self) -> Any:
        more = {"MODE": "write", "RATE": str(self._rate / WRITERS), "FIRST": str(next(self._numbers) * 10**6)}
        writing = Program(self._run.program.command, "write", environment=more)
        return writing.start(self._run.job, self._run._log.fileno())  # noqa: SLF001 - one log for all of a run

    @property
    def expected(self) -> Counter[str]:
        """What is in the log, by customer."""
        found = self.connection.execute("SELECT originator_id FROM orders_events")
        return Counter(str(UUID(int=one.int % CUSTOMERS)) for (one,) in found)


def on_kafka(infra: Infra, entrant: Entrant, trial: Trial) -> None:
    topic = Topic(infra.kafka, f"faulted{uuid4().hex[:8]}").create()
    with running(infra, topic, entrant.program) as run:
        for _ in range(INSTANCES):
            run.start()
        happening = Happening(topic, entrant.rate)
        again = happening.again
        if isinstance(entrant.program, OurProgram):
            again = lambda amount: (happening.again(amount), _set_back(run, amount))  # type: ignore[assignment]  # noqa: E731
        stage = Stage(run, random.Random(trial.seed), entrant.session_seconds, happening.tell, again)
        _perform(stage, trial, lambda: happening.expected)
        trial.delivered_again = happening.delivered_again


def _set_back(run: Run, amount: int) -> None:
    """Set our checkpoints back besides; those of the peers are Kafka's, which takes none back while the group is there."""
    run.connection.execute("UPDATE checkpoint SET next_offset = greatest(0, next_offset - %s)", [amount // 6])


def on_its_own_log(infra: Infra, entrant: Entrant, trial: Trial) -> None:
    topic = Topic(infra.kafka, f"none{uuid4().hex[:8]}")
    with running(infra, topic, entrant.program) as run:
        log = OwnLog(infra, run, entrant.rate)
        stage = Stage(run, random.Random(trial.seed), entrant.session_seconds, lambda: None, lambda _: None)
        stage.start_other = log.start_writer
        try:
            for _ in range(WRITERS):
                stage.others.append(log.start_writer())
                time.sleep(1.0)  # the first one makes the tables
            run.start()
            _perform(stage, trial, lambda: log.expected)
        finally:
            for process in stage.others:
                end(process)
            log.connection.close()


def _perform(stage: Stage, trial: Trial, expected: Callable[[], Counter[str]]) -> None:
    began = time.monotonic()
    while not stage.run.payments():
        stage.go_on(0.5)
        if time.monotonic() - began > LONGEST_SETTLING_SECONDS:
            raise TimeoutError(f"has done nothing yet: {stage.run.log_text()}")
    stage.play(FAULTS[trial.fault](stage))
    stage.tell = lambda: None
    for process in stage.others:
        end(process)
    stage.others.clear()
    trial.seconds = round(time.monotonic() - began, 1)
    wanted = expected()
    trial.settled_seconds = settle(stage, wanted)
    found = balances(stage.run)
    trial.events = wanted.total()
    trial.lost = sum(max(0, wanted[one] - found.get(one, 0)) for one in wanted)
    trial.doubled = sum(max(0, amount - wanted[one]) for one, amount in found.items())
    trial.strikes, trial.ended_by_themselves = stage.strikes, stage.ended_by_themselves


def balances(run: Run) -> Found:
    rows = run.connection.execute(f"SELECT customer_id, payments FROM {run.program.balances}")
    return {customer: payments for customer, payments in rows if payments}


def settle(stage: Stage, wanted: Counter[str]) -> float:
    """Wait until nothing moves any more: some seconds if nothing is missing, else longer than a session lasts."""
    began = moved = time.monotonic()
    seen: Found = {}
    while time.monotonic() - began < LONGEST_SETTLING_SECONDS:
        stage.go_on(1.0)
        found = balances(stage.run)
        if found != seen:
            seen, moved = found, time.monotonic()
        missing = any(found.get(one, 0) < amount for one, amount in wanted.items())
        if time.monotonic() - moved > (stage.session_seconds + 15 if missing else 6):
            break
    return round(moved - began, 1)


def try_one(infra: Infra, fault: str, seed: int, entrant: Entrant) -> Trial:
    trial = Trial(entrant.name, fault, seed, entrant.configuration)
    try:
        (on_its_own_log if entrant.own_log else on_kafka)(infra, entrant, trial)
    except Exception as error:  # noqa: BLE001 - a peer may fail in any way; it is reported
        trial.failure = f"{type(error).__name__}: {error}"[:1_500]
    return trial


def told(trial: Trial) -> str:
    if trial.failure:
        return f"{trial.fault:4} {trial.who:34} FAILED: {trial.failure}"
    share = 100_000 / max(1, trial.events)
    return (
        f"{trial.fault:4} {trial.who:34} {trial.events:>8,} events, {trial.strikes:>3} strikes: "
        f"{trial.lost:>6,} lost, {trial.doubled:>6,} doubled; of 100,000: {trial.lost * share:,.0f} and {trial.doubled * share:,.0f}"
    )


@contextmanager
def _infra(kind: str) -> Iterator[Infra]:
    with tempfile.TemporaryDirectory(prefix="till-faulted-") as folder, provide(kind, Path(folder)) as infra:
        yield infra


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(FAULTS), help="e.g. F1,F5")
    parser.add_argument("--who", default="", help="only those whose name begins so, e.g. tillstream,Quix")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--infra", choices=KINDS, default="auto")
    chosen = parser.parse_args()
    about, trials = machine(), []
    with _infra(chosen.infra) as infra:
        for fault in chosen.only.split(","):
            entered = [one for one in entrants() if one.name.startswith(tuple(chosen.who.split(",")))]
            if fault == "F10":  # nobody delivers anything to who reads a log of his own
                entered = [one for one in entered if not one.own_log]
            with ThreadPoolExecutor(AT_ONCE) as threads:
                for trial in threads.map(partial(try_one, infra, fault, chosen.seed), entered):
                    trials.append(trial)
                    print(told(trial), flush=True)
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    kept = {"machine": about, "at": f"{now:%Y-%m-%dT%H:%M:%SZ}", "trials": [asdict(trial) for trial in trials]}
    (folder / f"faults-peers-{now:%Y%m%dT%H%M%S}.json").write_text(json.dumps(kept, indent=1) + "\n")
    return 1 if any(one.who == "tillstream" and (one.lost or one.doubled or one.failure) for one in trials) else 0


if __name__ == "__main__":
    sys.exit(main())
