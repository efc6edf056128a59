"""What fails for long is tried for as long: a worker and a sender outlive any outage of the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

from psycopg import OperationalError

from till_platform import process
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


async def test_a_worker_that_never_reached_kafka_goes_on_trying_however_often_it_failed(monkeypatch):
    tried = 0

    class Away:
        async def start(self):
            nonlocal tried
            tried += 1
            if tried == 1_200:  # 2 to the power of that does not fit a float
                running.worker.parted.set()
                running.worker.ended.set()
                return
            raise OSError("nobody answers there")

        async def stop(self):
            pass

    async def explain(error, settings):
        return None

    monkeypatch.setattr(process, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(process, "make_broker", lambda settings: Away())
    monkeypatch.setattr(process, "subscribe", lambda *_: None)
    monkeypatch.setattr(process, "explain", explain)
    worker = WorkerLoop("test.worker", None, None, None, committed=None, measures=Measures("test.away"), max_records=10)
    running = SimpleNamespace(worker=worker, settings=None, service=SimpleNamespace(sources=()))
    await process._consume(running)
    assert tried == 1_200


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
