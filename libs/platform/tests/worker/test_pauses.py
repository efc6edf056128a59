"""What fails for long is tried for as long: a worker and a sender outlive any outage of the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

from psycopg import OperationalError

from till_platform.effects.sender import Sender, SenderLoop, TryAgain
from till_platform.worker import loop
from till_platform.worker.loop import WorkerLoop
from till_platform.worker.measures import Measures


async def test_a_worker_that_failed_ten_thousand_times_waits_and_tries_again(monkeypatch):
    monkeypatch.setattr(loop, "LONGEST_PAUSE", 0.0)
    worker = WorkerLoop(
        "test.worker", None, None, None, committed=None, measures=Measures("test.worker"), max_records=10
    )
    worker._failures = 10_000
    await worker._again(SimpleNamespace(assignment=frozenset), OperationalError("away"))
    assert worker._failures == 10_001


class Unanswered(Sender):
    kind = "message"

    def __init__(self):
        self.asked = asyncio.Event()

    async def deliver(self, effect):
        self.asked.set()
        raise TryAgain("no answer")


class GoesAway:
    """A database that hands out one effect, and then is gone for a while."""

    def __init__(self):
        self.sessions = 0

    @contextmanager
    def connection(self):
        self.sessions += 1
        if self.sessions == 2:
            raise OperationalError("away")
        rows = [(1, "message", "k", {}, 1, "c", None, None)] if self.sessions == 1 else []
        yield SimpleNamespace(execute=lambda *_: rows)


async def test_a_sender_that_cannot_even_note_its_failure_waits_for_the_database_and_goes_on():
    pool, sender = GoesAway(), Unanswered()
    sending = SenderLoop(sender, pool, ThreadPoolExecutor(2), lambda: datetime.now(UTC))
    running = asyncio.create_task(sending.run())
    await asyncio.wait_for(sender.asked.wait(), 5)
    async with asyncio.timeout(10):
        while pool.sessions < 3:
            sending.wake()
            await asyncio.sleep(0.01)
    sending.stop()
    await running
    assert sending.failure is None
