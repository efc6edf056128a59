"""A connection that breaks at the wrong moment leaves no consumer that keeps its partitions and reads nothing."""

import asyncio
from types import SimpleNamespace

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, KafkaError

from till_platform.kafka import mending
from till_platform.kafka.mending import has_died, mend_connections
from till_platform.worker.loop import WorkerLoop
from till_platform.worker.measures import Measures


class Request:
    """As small as aiokafka takes one."""

    def prepare(self, versions):
        return self

    def build_request_header(self, correlation_id, client_id):
        return self

    def encode(self):
        return b"who are you"


@pytest.fixture
def mended():
    mend_connections()
    yield
    AIOKafkaConnection.send = mending._send


async def send_on_a_connection_that_was_just_reset():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connection = AIOKafkaConnection(host, port)
    _, connection._writer = await asyncio.open_connection(host, port)
    connection._versions = {}
    connection._writer.transport.abort()
    await asyncio.sleep(0)  # now the transport is closed, and nobody has told aiokafka
    try:
        await connection.send(Request())
    finally:
        server.close()


def test_on_uvloop_a_broken_connection_is_told_as_one(mended):
    with pytest.raises(KafkaConnectionError, match="broken"):
        uvloop.run(send_on_a_connection_that_was_just_reset())


def test_control_without_mending_uvloop_tells_it_in_a_way_that_aiokafka_does_not_expect():
    with pytest.raises(RuntimeError, match="closed"):
        uvloop.run(send_on_a_connection_that_was_just_reset())


class Client:
    """A consumer that says nothing any more."""

    def __init__(self, fetching, coordinating, answer=None):
        self._fetcher = SimpleNamespace(_fetch_task=fetching)
        self._coordinator = SimpleNamespace(_coordination_task=coordinating)
        self._answer = answer

    async def getmany(self, **_):
        await asyncio.sleep(0.01)
        if self._answer is not None:
            raise self._answer
        return {}

    def assignment(self):
        return frozenset()

    def subscription(self):
        return frozenset()


def worker_with(client):
    worker = WorkerLoop("test.worker", None, None, None, committed=None, measures=Measures("test.died"), max_records=10)
    worker.use(client)
    return worker


@pytest.mark.parametrize("dead", ["fetching", "coordinating"])
async def test_a_worker_whose_client_died_asks_for_another_one_and_does_not_end(dead):
    done, alive = asyncio.get_running_loop().create_future(), asyncio.get_running_loop().create_future()
    done.set_result(None)
    answer = KafkaError("coordination ended") if dead == "coordinating" else None
    client = Client(*((done, alive) if dead == "fetching" else (alive, done)), answer)
    assert has_died(client)
    worker = worker_with(client)
    await asyncio.wait_for(worker.run(), 5)
    assert worker.parted.is_set()
    assert not worker.ended.is_set()
    assert worker.failure is None
    worker.stop()
    await worker.run()


async def test_control_a_worker_whose_client_lives_keeps_it():
    alive = asyncio.get_running_loop().create_future()
    worker = worker_with(Client(alive, alive))
    assert not has_died(worker._consumer)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.2)
    assert not worker.parted.is_set()
    worker.stop()
    await asyncio.wait_for(running, 5)
    assert worker.ended.is_set()
