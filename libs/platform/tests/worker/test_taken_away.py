"""Partitions may be taken from a worker whenever it waits for Kafka, also while it asks where a wiped topic begins."""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from till_platform.worker.cursor import Cursor
from till_platform.worker.loop import WorkerLoop
from till_platform.worker.measures import Measures

PLACE = ("till.order", 3)


class Client:
    """Kafka's client of a worker whose topic was wiped; `meanwhile` happens while it asks where the topic begins."""

    def __init__(self, meanwhile):
        self.paused = []
        self._meanwhile = meanwhile

    async def getmany(self, **_):
        raise OffsetOutOfRangeError({TopicPartition(*PLACE): 20})

    async def beginning_offsets(self, partitions):
        await self._meanwhile()
        return dict.fromkeys(partitions, 0)

    def pause(self, partition):
        self.paused.append(partition)


@pytest.fixture
def worker():
    found = WorkerLoop("test.worker", None, None, None, committed=None, measures=Measures("test.taken"), max_records=10)
    found._cursors = {PLACE: Cursor(20, 112)}
    return found


async def test_a_partition_taken_away_while_it_is_looked_for_is_left_to_whoever_has_it_now(worker):
    async def taken_away():
        await worker.on_partitions_revoked([TopicPartition(*PLACE)])

    client = Client(taken_away)
    assert await worker._fetch(client) is None
    assert client.paused == []
    assert worker._rewound == {}


async def test_control_one_that_stays_is_read_again_from_its_beginning(worker):
    async def nothing():
        pass

    client = Client(nothing)
    assert await worker._fetch(client) is None
    assert client.paused == [TopicPartition(*PLACE)]
    assert worker._rewound[PLACE].begin == 0
