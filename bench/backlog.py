"""B11: memory. The consumer was stopped, a backlog has grown; started again, it must not grow with what is waiting.

Compared is the peak of resident memory while a backlog of 5,000,000 (`TILL_BENCH_BACKLOG`) is worked off, and while a tenth of it is.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from catch_up import EXACT, OUR_PROGRAM, TWICE, Stage
from catching import HERE, Program, Watch, family, running
from contest import Claim, Contender, Contest, Sample
from payments import Story, topic_of
from peers.setup import peers

from till_platform.testing.infra import Infra

BACKLOG = int(os.environ.get("TILL_BENCH_BACKLOG", "5000000"))
TENTH, WHOLE, PEER = "a tenth of the backlog", "the whole backlog", "FastStream raw bytes, the whole backlog"
SAMPLING_SECONDS = 0.5


def contender(infra: Infra, name: str, guarantee: str, program: Program, stage: Stage) -> Contender:
    topic, oracle = stage

    def run() -> Sample:
        peak, looked = 0, 0.0
        with running(infra, topic, program) as started:
            process = started.start()
            watch = Watch(started)
            while watch.seen < oracle.payments or started.paid_minor() < oracle.paid_minor:
                watch.look()
                if time.monotonic() - looked > SAMPLING_SECONDS:
                    looked = time.monotonic()
                    peak = max(peak, sum(member.memory_info().rss for member in family(process.pid)))
            oracle.check(started.connection, program.balances, program.orders)
            return Sample(1, peak / 2**20, None, {"events": oracle.payments, "events_per_second": watch.sample().rate})

    return Contender(name, guarantee, run, "the worker as B4 runs it" if program is OUR_PROGRAM else "tuned as in B4")


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    tenth = topic_of(infra.kafka, "backlog-tenth", Story(BACKLOG // 10))
    whole = topic_of(infra.kafka, "backlog-whole", Story(BACKLOG))
    raw = Program([peers(), HERE / "peers" / "faststream_peer.py"], "raw")
    yield Contest(
        f"peak of resident memory over a backlog of {BACKLOG:,}: of one MB, this part",
        "1/MB",
        [
            contender(infra, WHOLE, EXACT, OUR_PROGRAM, whole),
            contender(infra, TENTH, EXACT, OUR_PROGRAM, tenth),
            contender(infra, PEER, TWICE, raw, whole),
        ],
        [Claim(TENTH, 0.9)],
    )
