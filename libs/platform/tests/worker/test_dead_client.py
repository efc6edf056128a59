"""A worker whose Kafka client died, without a word and with all its partitions, reads on with another one."""

import asyncio
from types import SimpleNamespace

import pytest

from till_events.order import OrderPaymentRecorded
from till_platform import process
from till_platform.kafka import subscriber
from till_platform.settings import Settings
from till_platform.testing.neighbours import PARTITIONS, Neighbours
from till_platform.worker import loop
from till_platform.worker.cursor import Cursor
from till_platform.worker.loop import WorkerLoop
from till_platform.worker.measures import Measures
from till_platform.worker.reading import Reader
from till_platform.worker.transaction import Taken

from .records import paid

pytestmark = pytest.mark.integration


class Books:
    """Where the worker writes what it takes and where it stands."""

    def __init__(self):
        self.amounts = []
        self.cursors = {}

    def take(self, _, reading):
        self.amounts += [entry.fact.event.amount_minor for entry in reading.entries]
        self.cursors.update(reading.after)
        return Taken()

    def checkpoints(self, partitions):
        return {partition: self.cursors.get(partition, Cursor()) for partition in partitions}


async def nothing(_):
    pass


def worker_writing_to(books, name):
    connection = SimpleNamespace(closed=False, broken=False, close=lambda: None)
    worker = WorkerLoop(
        f"{name}.worker",
        Reader([OrderPaymentRecorded]),
        books,
        lambda: connection,
        committed=nothing,
        measures=Measures(f"{name}.worker"),
        max_records=10,
    )
    worker._checkpoints = books.checkpoints
    return worker


async def until(true, seconds=30.0):
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)


async def kill(client):
    """Let the task that fetches meet what it does not expect, and what it has asked for already come to nothing."""

    def break_down(_):
        raise RuntimeError("the handler is closed")

    client._fetcher._get_actions_per_node = break_down
    await until(client._fetcher._fetch_task.done)
    await asyncio.gather(*client._fetcher._pending_tasks)


async def read_across_a_death(infra, name, neighbours):
    """Return what is read in the end of two payments, between which the client dies."""
    settings = Settings.read(
        service="loyalty",
        environment="local",
        pg=infra.database(name),
        kafka=infra.kafka,
        redis=infra.redis,
        partitions=PARTITIONS,
        namespace=name,
    )
    books = Books()
    await asyncio.to_thread(neighbours.tell, paid(amount=1))
    worker = worker_writing_to(books, name)
    running = SimpleNamespace(worker=worker, settings=settings, service=SimpleNamespace(sources=("order",)))
    consuming = asyncio.create_task(process._consume(running))
    try:
        await until(lambda: books.amounts == [1])
        first = worker._consumer
        await kill(first)
        await asyncio.to_thread(neighbours.tell, paid(amount=2))
        await until(lambda: books.amounts == [1, 2], seconds=10.0)
        assert worker._consumer is not first
        assert not any(connection.connected() for connection in first._client._conns.values())
    finally:
        worker.stop()
        await consuming
    return books.amounts


async def test_a_worker_whose_client_died_reads_on_with_another_one(infra):
    with Neighbours(infra, "dies") as neighbours:
        assert await read_across_a_death(infra, "dies", neighbours) == [1, 2]


async def test_control_who_does_not_see_that_it_died_reads_nothing_more(infra, monkeypatch):
    monkeypatch.setattr(loop, "has_died", lambda _: False)
    with Neighbours(infra, "unseen") as neighbours, pytest.raises(TimeoutError):
        await read_across_a_death(infra, "unseen", neighbours)
    assert subscriber.has_died is not loop.has_died
