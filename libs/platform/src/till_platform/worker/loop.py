"""The consumer loop: Kafka's group says which partitions are ours, PostgreSQL says where we stand in them.

Nothing is ever committed to Kafka. While one batch commits, the next is fetched and decoded. On anything but success the position is read
again from the checkpoints and everything fetched meanwhile is dropped, so what Kafka's client believes never matters.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, OffsetOutOfRangeError
from psycopg import Connection
from psycopg.errors import IdleInTransactionSessionTimeout

from till_platform.eventstore.errors import DATABASE_AWAY, VersionConflict
from till_platform.kafka.mending import has_died
from till_platform.kafka.refusals import Refusal, denial, hidden
from till_platform.worker.cursor import Cursor, Fenced, Partition, read_cursors
from till_platform.worker.measures import Measures
from till_platform.worker.reading import Hole, Reader, Reading, Record
from till_platform.worker.transaction import BatchTransaction, Taken

POLL_MS = 200
LONGEST_PAUSE = 5.0
AT_A_TIME = 500
"""So many records are decoded before others of this process have their turn: some 3 ms."""
MOST_DOUBLINGS = 6
"""By then the longest pause is reached. After a thousand, an hour without the database, the number would not fit a float any more."""
REFILL_PATIENCE_SECONDS = 20.0
"""How long a hole may stand at the end of a partition before it is taken for a loss. A relay looks after its topic every 5 seconds."""
_log = structlog.get_logger(__name__)

Committed = Callable[[Taken], Awaitable[None]]


class TopicShortened(Exception):
    """Events are gone from a topic before we read them. Only a refill from the owner's log can mend that; going on would lose them."""


class ClientDied(KafkaError):  # type: ignore[misc]  # aiokafka is untyped
    """Kafka's client reads no more, though it says nothing: another one has to."""


class WorkerLoop(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Reads for one consumer until it is stopped, or until a bug stops it."""

    def __init__(
        self,
        name: str,
        reader: Reader,
        transaction: BatchTransaction,
        connect: Callable[[], Connection[Any]],
        *,
        committed: Committed,
        measures: Measures,
        max_records: int,
    ) -> None:
        self.name = name
        self.measures = measures
        self.failure: Exception | None = None
        self.refused = Refusal()
        self.turned_at = time.monotonic()
        self.ended = asyncio.Event()
        """It reads no more."""
        self.parted = asyncio.Event()
        """It is done with its client: for good, or to be given another one."""
        self._reader = reader
        self._transaction = transaction
        self._connect = connect
        self._committed = committed
        self._max_records = max_records
        self._at_once = max_records
        self._consumer: AIOKafkaConsumer | None = None
        self._connection: Connection[Any] | None = None
        self._cursors: dict[Partition, Cursor] = {}
        self._lost: set[TopicPartition] = set()
        self._rewound: dict[Partition, _Rewind] = {}
        self._in_flight: asyncio.Task[None] | None = None
        self._stopping = False
        self._spent = False
        self._failures = 0
        self._writing = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-write")

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Hold new partitions still until we know where we stand in them. Nothing is awaited here: a later seek would not count."""
        assert self._consumer is not None
        for partition in assigned:
            self._consumer.seek(partition, 0)
            self._consumer.pause(partition)
        self._lost.update(assigned)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Let the transaction in flight end before others take over; the group waits meanwhile."""
        if self._in_flight is not None:
            await asyncio.wait([self._in_flight])
        for partition in revoked:
            self._lost.discard(partition)
            self._cursors.pop(_place(partition), None)

    def use(self, consumer: AIOKafkaConsumer) -> None:
        """Read with this client; it is told to us before it is given any partition."""
        self._consumer = consumer
        self.parted.clear()

    async def run(self) -> None:
        """Read until `stop`, or until the client is spent. A `TopicShortened` or a bug is raised and kept in `failure`."""
        assert self._consumer is not None
        try:
            while not (self._stopping or self._spent):
                await self._turn(self._consumer)
                self.turned_at = time.monotonic()
            if self._in_flight is not None:
                await asyncio.wait([self._in_flight])
        except Exception as error:
            self.failure = error
            _log.critical("worker_stopped", consumer=self.name, exc_info=error)
            raise
        finally:
            if not self._spent or self._stopping:
                self.ended.set()
                self._writing.shutdown(wait=True)
                if self._connection is not None:
                    self._connection.close()
            self._spent = False
            self.parted.set()

    @property
    def ready(self) -> bool:
        """Whether it has been given partitions and knows where it stands in them."""
        return bool(self._cursors) and not self._lost and self.refusal is None

    @property
    def refusal(self) -> str | None:
        """What Kafka will not let it do, as long as it will not."""
        return self.refused.why

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopping

    def stop(self) -> None:
        """End after the batch in flight."""
        self._stopping = True

    async def ask_for_oldest(self) -> bool:
        """Ask Kafka for the oldest offset it keeps of each partition that is ours, and note it; return whether there are any."""
        if self._consumer is None or not self.ready:
            return False
        oldest = await self._consumer.beginning_offsets([TopicPartition(*place) for place in self._cursors])
        self.measures.kept({_place(partition): offset for partition, offset in oldest.items()}, self._cursors)
        return True

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        try:
            if self._lost:
                await self._find_ourselves(consumer)
            reading = await self._fetch(consumer)
            await self._settle()
            if has_died(consumer):
                raise ClientDied(self.name)
            await self._look_at_ends(consumer)
            await self._judge_rewinds(consumer)
        except (
            *DATABASE_AWAY,
            KafkaError,
            VersionConflict,
            Fenced,
            Hole,
        ) as error:
            await self._again(consumer, error)
            return
        self.refused.note(hidden(consumer))
        self.measures.observe(consumer, self._cursors)
        if reading is not None:
            self._in_flight = asyncio.create_task(self._take(reading))
            await asyncio.sleep(0)  # a task begins when its maker waits, and what is fetched already is not waited for

    async def _fetch(self, consumer: AIOKafkaConsumer) -> Reading | None:
        try:
            polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._at_once)
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                begin = await _beginning(consumer, partition)
                cursor = self._cursors.get(_place(partition))
                if cursor is None:  # it was taken from us meanwhile
                    continue
                if begin == cursor.next_offset:  # only what we took last was deleted
                    consumer.seek(partition, begin)
                else:
                    await self._rewind(consumer, partition, "the topic no longer has the offset we need", begin)
            return None
        records = {_place(tp): found for tp, found in polled.items() if _place(tp) in self._cursors and found}
        if not records:
            return None
        cursors = dict(self._cursors)
        reading = await self._read(records, cursors)
        for partition, cursor in reading.after.items():
            if cursor.hole is not None and partition not in self._rewound:
                await self._settle()
                hole, place = Hole(partition, cursor), TopicPartition(*partition)
                await self._rewind(consumer, place, str(hole), await _beginning(consumer, place))
                raise hole
        current = {partition: cursor for partition, cursor in reading.after.items() if partition in self._cursors}
        self._cursors.update(current)
        return reading

    async def _read(
        self, records: Mapping[Partition, Sequence[Record]], cursors: Mapping[Partition, Cursor]
    ) -> Reading:
        """Decode here, a little at a time. A thread of its own would fight with us for the interpreter, for a fifth more CPU."""
        reading = Reading([], {}, {})
        for partition, found in records.items():
            for start in range(0, len(found), AT_A_TIME):
                self._reader.read_on(partition, found[start : start + AT_A_TIME], cursors[partition], reading)
                await asyncio.sleep(0)
        return reading

    async def _settle(self) -> None:
        """Wait for the batch in flight and raise what it raised."""
        if self._in_flight is not None:
            task, self._in_flight = self._in_flight, None
            await task
            self._failures = 0
            self._at_once = min(self._max_records, self._at_once + self._at_once // 10 + 1)

    async def _take(self, reading: Reading) -> None:
        started = time.monotonic()
        taken: Taken = await self._in(self._writing, self._write, reading)
        self.measures.taken(reading, time.monotonic() - started)
        await self._committed(taken)

    def _write(self, reading: Reading) -> Taken:
        return self._transaction.take(self._open_connection(), reading)

    def _open_connection(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = self._connect()
        return self._connection

    async def _find_ourselves(self, consumer: AIOKafkaConsumer) -> None:
        """Read the checkpoints of partitions we hold but do not know our place in, and go to the record we took last.

        It is a repeat, and is dropped. If it is not, this topic was made anew, and what we miss may stand in front of our place: then that
        record leaves a hole, or is the very next one.
        """
        lost = [partition for partition in self._lost if partition in consumer.assignment()]
        cursors = await self._in(self._writing, self._checkpoints, [_place(partition) for partition in lost])
        for partition in lost:
            if partition in consumer.assignment() and partition in self._lost:
                cursor = cursors[_place(partition)]
                rewind = self._rewound.get(_place(partition))
                consumer.seek(partition, _last_taken(cursor) if rewind is None else rewind.begin)
                self._cursors[_place(partition)] = cursor
                consumer.resume(partition)
        self._lost = (self._lost & consumer.assignment()).difference(lost)  # what we were given meanwhile stays

    def _checkpoints(self, partitions: Sequence[Partition]) -> dict[Partition, Cursor]:
        return read_cursors(self._open_connection(), self.name, partitions)

    async def _rewind(self, consumer: AIOKafkaConsumer, partition: TopicPartition, why: str, begin: int) -> None:
        """Read a partition from its beginning once more; what we took already is recognised as a repeat.

        This is how a topic that was wiped and refilled from the log is met. If events are still missing then, they are lost to us. `begin`
        is the first offset there is: it moves when the topic is emptied to be published anew.
        """
        place = _place(partition)
        if (
            place not in self._cursors
        ):  # taken from us while we asked where it begins: whoever has it now finds the same
            return
        position, before = self._cursors[place].last_position, self._rewound.get(place)
        if before is not None and (before.position, before.begin) == (position, begin):
            raise TopicShortened(
                f"{why}; reading from the beginning did not help. Refill the topic from its owner's log."
            )
        _log.error("topic_changed_under_us", topic=partition.topic, partition=partition.partition, why=why)
        self._rewound[place] = _Rewind(position, begin)
        self._lost.add(partition)
        consumer.pause(partition)

    async def _look_at_ends(self, consumer: AIOKafkaConsumer) -> None:
        """Read again what ends before our place in it: it was made anew, and our place there is one record off its end.

        A fetch may say so for a moment after another broker came to lead; asked for the end, Kafka waits until it knows it.
        """
        for place, cursor in list(self._cursors.items()):
            partition = TopicPartition(*place)
            if place in self._rewound or partition in self._lost or partition not in consumer.assignment():
                continue
            end = consumer.highwater(partition)
            if end is not None and end < cursor.next_offset:
                (end,) = (await consumer.end_offsets([partition])).values()
                begin = await _beginning(consumer, partition)
                if end < cursor.next_offset and place in self._cursors:
                    await self._rewind(consumer, partition, "the topic ends before the offset we need", begin)

    async def _judge_rewinds(self, consumer: AIOKafkaConsumer) -> None:
        """Decide about partitions that were read again to their end.

        Without a hole they are whole; should they be wiped once more, they may be read once more. With one, somebody may be refilling them.
        """
        for place, rewind in list(self._rewound.items()):
            cursor, partition = self._cursors.get(place), TopicPartition(*place)
            if cursor is None or partition in self._lost or partition not in consumer.assignment():
                continue
            end = consumer.highwater(partition)  # must not be asked of a partition that was taken from us
            if end is None or await consumer.position(partition) < end:
                continue
            if cursor.hole is None:
                del self._rewound[place]
            elif rewind.waited(end):
                await self._rewind(consumer, partition, str(Hole(place, cursor)), rewind.begin)

    async def _again(self, consumer: AIOKafkaConsumer, error: Exception) -> None:
        """Forget what was fetched, wait a little longer each time, and begin again from the checkpoints."""
        if self._in_flight is not None:
            await asyncio.wait([self._in_flight])
            self._in_flight = None
        if isinstance(error, Fenced):
            self.measures.fenced()
        if isinstance(error, IdleInTransactionSessionTimeout):
            # So starved that a batch's transaction sat idle too long: the same batch would, again and again. A smaller one will not.
            self._at_once = max(1, self._at_once // 4)
        self.measures.again()
        self._failures += 1
        at_once = isinstance(error, VersionConflict | Fenced | Hole)
        pause = 0.0 if at_once else min(LONGEST_PAUSE, 0.1 * 2 ** min(self._failures, MOST_DOUBLINGS))
        self.refused.note(denial(error))
        # aiokafka's heartbeat, once refused, never beats again, whatever is allowed later.
        self._spent = isinstance(error, GroupAuthorizationFailedError) or has_died(consumer)
        _log.warning("batch_again", consumer=self.name, error=type(error).__name__, pause=pause, why=self.refusal)
        for partition in consumer.assignment():
            consumer.pause(partition)
            self._lost.add(partition)
        await asyncio.sleep(pause)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)


class _Rewind:
    """A partition being read again from its beginning, the offset `begin`, with `position` taken already."""

    def __init__(self, position: int, begin: int) -> None:
        self.position = position
        self.begin = begin
        self._end = -1
        self._since = 0.0

    def waited(self, end: int) -> bool:
        """Whether nothing has been added at the end for so long that nobody seems to be refilling it."""
        if end != self._end:
            self._end, self._since = end, time.monotonic()
        return time.monotonic() - self._since > REFILL_PATIENCE_SECONDS


def _last_taken(cursor: Cursor) -> int:
    """Return the offset of the record before our place; at the beginning there is none."""
    return max(0, cursor.next_offset - 1)


async def _beginning(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    found: dict[TopicPartition, int] = await consumer.beginning_offsets([partition])
    return found[partition]


def _place(partition: TopicPartition) -> Partition:
    return partition.topic, partition.partition
