"""Partitions may be taken from a worker whenever it waits for Kafka, also while it asks where a wiped topic begins."""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from till_platform.worker.cursor import Cursor
from till_platform.worker.loop import WorkerLoop, _Rewind
from till_platform.worker.measures import Measures

PLACE, OTHER = ("till.order", 3), ("till.order", 4)


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


class Group:
    """Kafka's client of a worker in a group that gives and takes partitions."""

    def __init__(self, *places):
        self.assigned = frozenset(TopicPartition(*place) for place in places)
        self.reading_from = {}

    def assignment(self):
        return self.assigned

    def seek(self, partition, offset):
        self.reading_from[tuple(partition)] = offset

    def pause(self, partition):
        self.reading_from.pop(tuple(partition), None)

    def highwater(self, partition):
        assert partition in self.assigned, "as Kafka's client does"
        return 30

    async def position(self, partition):
        return self.reading_from[tuple(partition)]

    def resume(self, partition):
        assert tuple(partition) in self.reading_from


async def find_ourselves(worker, group, while_reading):
    """Let the worker read its checkpoints, while something else happens."""
    worker._cursors = {}
    worker.use(group)
    await worker.on_partitions_assigned(group.assignment())
    in_thread = worker._in

    async def read(threads, work, *arguments):
        found = await in_thread(threads, work, *arguments)
        await while_reading()
        return found

    worker._checkpoints = lambda partitions: dict.fromkeys(partitions, Cursor(20, 112))
    worker._in = read
    await worker._find_ourselves(group)
    worker._in = in_thread


async def test_partitions_given_while_it_reads_where_it_stands_are_found_next(worker):
    group = Group(PLACE)

    async def one_more():
        await worker.on_partitions_revoked([TopicPartition(*PLACE)])
        group.assigned = frozenset([TopicPartition(*PLACE), TopicPartition(*OTHER)])
        await worker.on_partitions_assigned(group.assigned)

    await find_ourselves(worker, group, one_more)
    assert not worker.ready
    await worker._find_ourselves(group)
    assert group.reading_from == {PLACE: 19, OTHER: 19}, "from the record it took last on"
    assert worker.ready


async def test_control_partitions_taken_while_it_reads_where_it_stands_are_not_looked_for(worker):
    group = Group(PLACE, OTHER)

    async def one_less():
        await worker.on_partitions_revoked(group.assigned)
        group.assigned = frozenset([TopicPartition(*PLACE)])
        await worker.on_partitions_assigned(group.assigned)

    await find_ourselves(worker, group, one_less)
    assert set(worker._cursors) == {PLACE}
    assert worker.ready


@pytest.mark.parametrize("cursors", [{}, {PLACE: Cursor(30, 140)}])
async def test_nobody_asks_how_far_a_partition_was_read_again_that_was_taken_away(worker, cursors):
    worker._cursors, worker._rewound = cursors, {PLACE: _Rewind(112, 0)}
    await worker._judge_rewinds(Group(OTHER))
    assert PLACE in worker._rewound


async def test_control_one_that_was_read_again_to_its_end_is_whole(worker):
    group = Group(PLACE)
    group.seek(TopicPartition(*PLACE), 30)
    worker._cursors, worker._rewound = {PLACE: Cursor(30, 140)}, {PLACE: _Rewind(112, 0)}
    await worker._judge_rewinds(group)
    assert worker._rewound == {}
