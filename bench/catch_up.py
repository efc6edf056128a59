"""B4: catching up. A topic of payments is made into two tables of PostgreSQL, by everybody from the beginning.

Each contender is a process of its own, with fresh tables and a fresh group in each round. The watcher asks for the number of payments in
the balances every 50 ms; what counts is what was done from the first rows seen until both tables are whole, so starting up counts for
nobody. Peers that would take minutes get fewer of the same payments.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from catching import HERE, OurProgram, Program, running
from contest import Claim, Contender, Contest, Sample
from payments import Oracle, Story, Topic, topic_of
from peers.setup import peers

from till_events.codec import encode
from till_platform.testing.infra import Infra

FULL = int(os.environ.get("TILL_BENCH_EVENTS", "300000"))
HALF, FIFTH, SMALL = FULL // 2, FULL // 5, FULL // 50
OURS, LIBRARY = "tillstream", "eventsourcing ProjectionRunner"
LIMIT, QUIET = "bare aiokafka, fold, overlapped", "… its cycle collector as ours"
ONE, BATCH, RAW = "FastStream one by one", "FastStream batch", "FastStream raw bytes, folded"
QUIX, QUIX_TUNED, FAUST = "Quix Streams", "Quix Streams tuned", "Faust take(500)"
CONVERGING, INCREMENT = "Bytewax converging", "Bytewax incrementing"
PATHWAY, PATHWAY_TUNED = "Pathway", "Pathway tuned"
EXACT, TWICE, CONVERGES = "effectively once", "at least once: counts twice after a kill", "at least once: converges"

OUR_PROGRAM = OurProgram(environment={"TILL_MAX_BATCH": "5000"})


@dataclass(frozen=True)
class Entry:
    """A contender as it is entered."""

    name: str
    guarantee: str
    amount: int
    program: Program
    configuration: str


def entries() -> list[Entry]:
    """Everybody who reads the topic; all run in the peers' environment but ours."""
    python = peers()

    def peer(file: str, mode: str = "") -> Program:
        return Program([python, HERE / "peers" / file], mode)

    return [
        Entry(OURS, EXACT, FULL, OUR_PROGRAM, "the worker, all safeties on; TILL_MAX_BATCH=5000"),
        Entry(LIMIT, "effectively once, one reader", FULL, peer("limit.py"), "getmany(5000), msgspec, unnest"),
        Entry(
            QUIET,
            "effectively once, one reader",
            FULL,
            peer("limit.py", "quiet"),
            "the same, gc.set_threshold(50_000)",
        ),
        Entry(ONE, TWICE, SMALL, peer("faststream_peer.py", "one"), "default, NACK_ON_ERROR"),
        Entry(BATCH, TWICE, FIFTH, peer("faststream_peer.py", "batch"), "documented: 500, pydantic, executemany"),
        Entry(RAW, TWICE, FULL, peer("faststream_peer.py", "raw"), "tuned: 5,000, msgspec, unnest"),
        Entry(QUIX, CONVERGES, HALF, peer("quix_peer.py", "default"), "default, its PostgreSQLSink"),
        Entry(QUIX_TUNED, CONVERGES, HALF, peer("quix_peer.py", "tuned"), "tuned: fetches, msgspec, unnest"),
        Entry(FAUST, TWICE, FIFTH, peer("faust_peer.py"), "take(500), msgspec, unnest"),
        Entry(CONVERGING, CONVERGES, FULL, peer("bytewax_peer.py", "converging"), "tuned: fetches, msgspec, unnest"),
        Entry(INCREMENT, TWICE, FULL, peer("bytewax_peer.py", "increment"), "tuned: fetches, msgspec, unnest"),
        Entry(PATHWAY, "reads all again, converges", FULL, peer("pathway_peer.py"), "default"),
        Entry(PATHWAY_TUNED, "reads all again, converges", FULL, peer("pathway_peer.py", "tuned"), "commits of 200 ms"),
    ]


Stage = tuple[Topic, Oracle]


def contender(infra: Infra, entry: Entry, stage: Stage) -> Contender:
    def run() -> Sample:
        topic, oracle = stage
        with running(infra, topic, entry.program) as started:
            return started.catch_up(oracle)

    return Contender(entry.name, entry.guarantee, run, entry.configuration)


def library(infra: Infra, stage: Stage) -> Contender:
    """`eventsourcing` reads its own log: the same payments are recorded there once."""
    program = [peers(), HERE / "peers" / "eventsourcing_peer.py"]
    log = infra.database("their_log")
    lines = b"\n".join(map(encode, Story(SMALL)))
    filling = {**os.environ, "MODE": "fill", "LOG": log}
    done = subprocess.run(list(map(str, program)), input=lines, env=filling, capture_output=True, check=False)
    entry = Entry(LIBRARY, EXACT, SMALL, Program(program, "project", environment={"LOG": log}), "default, locking mode")
    made = contender(infra, entry, stage)
    if not done.returncode:
        return made

    def failed() -> Sample:
        raise RuntimeError(done.stderr.decode()[-1_500:])

    return Contender(made.name, made.guarantee, failed, made.configuration)


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    stages = {amount: topic_of(infra.kafka, f"catchup{amount}", Story(amount)) for amount in (FULL, HALF, FIFTH, SMALL)}
    entered = [contender(infra, entry, stages[entry.amount]) for entry in entries()]
    entered.insert(2, library(infra, stages[SMALL]))
    yield Contest(
        "catch-up from 6 partitions into two tables",
        "events/s",
        entered,
        [
            Claim(LIBRARY, 40),
            Claim(ONE, 100),
            Claim(BATCH, 4),
            Claim(QUIX_TUNED, 4),
            Claim(FAUST, 15),
            Claim(CONVERGING, 1.5),
            Claim(INCREMENT, 1),
            Claim(PATHWAY_TUNED, 1),
            Claim(RAW, 1),
            Claim(LIMIT, 0.7),
        ],
    )
