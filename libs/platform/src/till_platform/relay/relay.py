"""From the log to the topic: every public event once at least, in order, acknowledged by Kafka before it is marked.

The invariants: one relay at a time leads (a lock of the database session, given back when the session ends), and each step of the mark
names the epoch the leader took over with, so one that was frozen and wakes up late moves nothing. What it may still send is older than what
is there: readers tell repeats by the log position, and holes by the position each record says it follows in its partition.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from psycopg import Connection
from psycopg.types.json import Jsonb

from till_events.topics import source_of
from till_platform.kafka.refusals import denial
from till_platform.kafka.signatures import Signer
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.packing import packed
from till_platform.relay.rows import COLUMNS, Outgoing, headers_of
from till_platform.telemetry import metrics

BATCH = 1_000
POLL_SECONDS = 0.02
"""How long a relay in a process of its own waits before it looks again: nobody can wake it."""
WOKEN_POLL_SECONDS = 1.0
"""How long one waits that is woken by those who append, in case a second instance of the service appends too."""
LEASE_SECONDS = 10
CHECK_SECONDS = 5.0
STAND_BY_SECONDS = 1.0
LONGEST_PAUSE = 5.0
MOST_DOUBLINGS = 6
"""By then the longest pause is reached. After a thousand, an hour without Kafka, the number would not fit a float any more."""
LOOK_ROUND_SECONDS = 1.0
"""How often a leader with nothing to do looks whether somebody asked for the lead."""
_log = structlog.get_logger(__name__)

_PENDING = f"SELECT {COLUMNS} FROM log WHERE position > %s ORDER BY position LIMIT %s"
_LEAD = "SELECT pg_try_advisory_lock(hashtext('relay'), hashtext(%s))"
TAKE_OVER = """
INSERT INTO relay_mark (topic, position, epoch) VALUES (%s, 0, 1)
ON CONFLICT (topic) DO UPDATE SET epoch = relay_mark.epoch + 1 RETURNING position, epoch, ends
"""
_EPOCH = "SELECT epoch FROM relay_mark WHERE topic = %s"
_MARK = "UPDATE relay_mark SET position = %s, ends = %s WHERE topic = %s AND epoch = %s"


Rows = list[tuple[Any, ...]]
"""Rows of the log, as `COLUMNS` has them."""


class NotLeading(Exception):
    """Another relay publishes this log."""


class Relay:
    """Publishes one service's log to its topic."""

    def __init__(
        self,
        service: str,
        connect: Callable[[], Connection[Any]],
        kafka: KafkaSide,
        *,
        idle_seconds: float = POLL_SECONDS,
        signer: Signer | None = None,
    ) -> None:
        self.topic = kafka.topic
        self.source = source_of(service)
        self.position = 0
        self.turned_at = time.monotonic()
        self.failure: Exception | None = None
        self.refusal: str | None = None
        """What Kafka will not let it do, as long as it will not."""
        self._connect = connect
        self._kafka = kafka
        self._signer = signer
        self._idle_seconds = idle_seconds
        self._connection: Connection[Any] | None = None
        self._producer: AIOKafkaProducer | None = None
        self._epoch = 0
        self._ends: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._partitioner = DefaultPartitioner()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="relay")
        self._wake = asyncio.Event()
        self._told_to_stop = asyncio.Event()
        self._stopping = False
        self._refill_owed: set[int] = set()
        self._checked_at = 0.0
        self._looked_round_at = 0.0
        self._reached = False
        self._ahead: asyncio.Task[Rows] | None = None
        """The rows behind those that Kafka is writing."""

    @property
    def ready(self) -> bool:
        """Whether it publishes, or stands by while another one does."""
        return self.failure is None and self.refusal is None and self._reached

    def wake(self) -> None:
        """There is something new in the log; may be called from the event loop only."""
        self._wake.set()

    def stop(self) -> None:
        """End after the batch in flight."""
        self._stopping = True
        self._wake.set()
        self._told_to_stop.set()

    async def run(self) -> None:
        """Publish until `stop`, through every outage of Kafka or the database."""
        failures = 0
        try:
            while not self._stopping:
                try:
                    await self._lead()
                    failures = 0
                    await self._publish_forever()
                except NotLeading:
                    self._reached = True
                    self.refusal = None  # who stands by does not know whether it would be let in
                    self.turned_at = time.monotonic()
                    await self._stand_back(STAND_BY_SECONDS)
                except (KafkaError, psycopg.OperationalError, OSError) as error:
                    failures += 1
                    self.refusal = denial(error) or self.refusal
                    _log.warning("relay_again", topic=self.topic, error=type(error).__name__, why=denial(error))
                    await self._stand_back(min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, MOST_DOUBLINGS)))
                finally:
                    await self._let_go()
        except Exception as error:
            self.failure = error
            _log.critical("relay_stopped", topic=self.topic, exc_info=error)
            raise
        finally:
            self._threads.shutdown(wait=False)

    async def _lead(self) -> None:
        self._connection = await self._in_thread(self._connect)
        position, self._epoch, ends = await self._in_thread(self._take_over)
        self._producer = await self._kafka.open()
        self.position = position
        self._ends = {int(number): end for number, (end, _) in ends.items()}
        self._last = {int(number): last for number, (_, last) in ends.items()}
        # the database may have gone away just as a refill was to be noted, and Kafka's answer does not come twice
        if lost := self._refill_owed or self._marked_beyond() or await self._shortened() or await self._replaced():
            await self._refill(lost)
        self._reached = True

    def _take_over(self) -> Any:
        assert self._connection is not None
        self._connection.execute(f"SET idle_session_timeout = '{LEASE_SECONDS}s'")
        (leads,) = self._connection.execute(_LEAD, [self.topic]).fetchone() or (False,)
        if not leads:
            raise NotLeading(self.topic)
        return self._connection.execute(TAKE_OVER, [self.topic]).fetchone()

    async def _publish_forever(self) -> None:
        while not self._stopping:
            self.turned_at = time.monotonic()
            self._wake.clear()
            if rows := await self._next():
                await self._publish(rows)
                self.refusal = None
            elif time.monotonic() - self._looked_round_at > LOOK_ROUND_SECONDS:
                await self._look_round()
            else:
                await self._pause(self._idle_seconds)

    async def _look_round(self) -> None:
        """Step aside if the lead was asked for, and see now and then whether the topic is whole."""
        self._looked_round_at = time.monotonic()
        await self._in_thread(self._check_lead)
        if time.monotonic() - self._checked_at > CHECK_SECONDS:
            await self._check_topic()
            self.refusal = None

    def _check_lead(self) -> None:
        assert self._connection is not None
        if self._connection.execute(_EPOCH, [self.topic]).fetchone() != (self._epoch,):
            raise NotLeading(self.topic)

    async def _next(self) -> Rows:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and (rows := await ahead):
            return rows  # else there may be some by now, and whoever appended them has called
        found: Rows = await self._in_thread(self._read, self.position)
        return found

    def _read(self, position: int) -> Rows:
        assert self._connection is not None
        return self._connection.execute(_PENDING, [position, BATCH], binary=True).fetchall()

    async def _publish(self, rows: Rows) -> None:
        assert self._producer is not None
        partitions = sorted(await self._producer.partitions_for(self.topic))
        records = [self._record(row, partitions) for row in rows if row[-1]]  # a private fact stays here
        if self._signer is not None:
            proofs = self._signer.sign([((self.topic, record.partition), record) for record in records])
            for record, proof in zip(records, proofs, strict=True):
                record.headers.append(proof)
        sent = []
        for partition, batch in packed(records, self._producer.create_batch):
            future = await self._producer.send_batch(batch, self.topic, partition=partition)
            future.add_done_callback(_heard)
            sent.append((partition, batch.record_count(), future))
        if len(rows) == BATCH:
            self._ahead = asyncio.create_task(self._in_thread(self._read, rows[-1][0]))
            self._ahead.add_done_callback(_heard)
        lost = set()
        for partition, count, future in sent:
            first = (await future).offset
            if 0 <= first < self._ends.get(partition, 0):
                lost.add(partition)
            self._ends[partition] = first + count
        metrics.RELAY_PUBLISHED.inc(len(records))
        if lost:  # what was sent just now stands where other records were
            await self._refill(lost)
            return
        await self._in_thread(self._mark, rows[-1][0])
        self.position = rows[-1][0]

    def _record(self, row: Sequence[Any], partitions: list[int]) -> Outgoing:
        key = row[5].encode()
        partition = self._partitioner(key, partitions, partitions)
        headers = [*headers_of(row, self.source), ("ce_prevposition", b"%d" % self._last.get(partition, 0))]
        self._last[partition] = row[0]
        return Outgoing(partition, key, row[6], headers)

    def _mark(self, position: int) -> None:
        assert self._connection is not None
        ends = {str(number): (end, self._last.get(number, 0)) for number, end in self._ends.items()}
        moved = self._connection.execute(_MARK, [position, Jsonb(ends), self.topic, self._epoch]).rowcount
        if moved != 1:
            raise NotLeading(self.topic)

    async def _check_topic(self) -> None:
        """See whether the topic still holds what Kafka acknowledged; if it was wiped or shortened, refill it from the log."""
        if lost := await self._shortened():
            await self._refill(lost)

    async def _shortened(self) -> set[int]:
        """Return the partitions that end before the last record that was marked."""
        self._checked_at = time.monotonic()
        ends = await self._kafka.end_offsets()
        return {number for number, end in self._ends.items() if ends.get(number, 0) < end}

    def _marked_beyond(self) -> set[int]:
        """Return the partitions in which more was marked than the mark says: somebody set it back.

        Whoever goes on from there sends again what is in the topic. Into a topic made anew meanwhile he sends the same records to the same
        places, and nobody after him could tell that what came before is missing. So begin with the first event.
        """
        return {number for number, last in self._last.items() if last > self.position}

    async def _replaced(self) -> set[int]:
        """Return the partitions that hold something else where the last record was that was marked.

        The end tells nothing if whoever led before us wrote as many records into a topic made anew, and did not live to mark that.
        """
        found = await self._kafka.positions_before(self._ends)
        return {number for number, position in found.items() if position != self._last[number]}

    async def _refill(self, lost: Collection[int]) -> None:
        """Begin again with the first event; readers drop what they have taken already."""
        _log.error("topic_lost_records_refilling", topic=self.topic, partitions=sorted(lost))
        self._refill_owed = set(lost)
        await self._forget_ahead()
        self.position = 0
        self._ends, self._last = {}, {}
        await self._in_thread(self._mark, 0)
        self._refill_owed = set()

    async def _forget_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await asyncio.wait([ahead])

    async def _let_go(self) -> None:
        self._producer = None
        await self._forget_ahead()
        await self._kafka.close()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._in_thread(connection.close)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _stand_back(self, seconds: float) -> None:
        """Wait without being woken: what is new in the log neither makes us the leader nor brings Kafka back."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told_to_stop.wait(), seconds)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _heard(future: "asyncio.Future[Any]") -> None:
    """Whoever gave up with the first refusal need not hear of the others."""
    if not future.cancelled():
        future.exception()
