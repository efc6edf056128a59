"""Reading topics from a place up to the positions that the live consumer has taken, through whatever Kafka does meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from till_platform.kafka.connection import connection_options
from till_platform.kafka.refusals import Refused
from till_platform.settings import Settings
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.reading import Reader, Reading, Record

BATCH = 5_000
POLL_MS = 500
PATIENCE_SECONDS = 30.0
"""How long Kafka may be away, or a topic lack the next event, before that is said to be so. A relay looks after its topic every 5 s."""
LONGEST_PAUSE = 5.0

Complain = Callable[[str], None]
"""Told in a line why nothing goes on for the moment."""
_log = structlog.get_logger(__name__)


class TopicIncomplete(Exception):
    """A topic does not hold all that the live consumer has taken from it. Its owner's log does: `till events republish` refills it."""


def log_complaint(line: str) -> None:
    """Complain in the log."""
    _log.warning("rebuild_waits", detail=line)


class Follower:
    """Reads topics in order, each partition from its cursor. While a batch is taken, in a thread, the next one is read."""

    def __init__(
        self, settings: Settings, reader: Reader, cursors: Mapping[Partition, Cursor], complain: Complain
    ) -> None:
        self.cursors = dict(cursors)
        self._settings = settings
        self._reader = reader
        self._complain = complain
        self._rewound: set[Partition] = set()
        self._moved_at = 0.0
        self._taking: asyncio.Task[None] | None = None

    async def read_to(
        self,
        bounds: Mapping[Partition, Cursor],
        take: Callable[[Reading], None],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Hand over everything up to the log positions of `bounds`, and nothing beyond; in the end all of it has been taken.

        By position, not by offset: a topic that was wiped or emptied and published again has other offsets. Kafka being away is waited for.
        Raises `TopicIncomplete`, or what Kafka said last, when nothing has moved for as long as the patience lasts.
        """
        self._moved_at = time.monotonic()
        failures = 0
        while self._left(bounds):
            try:
                async with _open(self._settings) as client:
                    try:
                        await self._follow(client, bounds, take, patience_seconds)
                    finally:
                        await self._settle()
            except KafkaError as error:
                if time.monotonic() - self._moved_at > patience_seconds:
                    raise
                failures += 1
                pause = min(LONGEST_PAUSE, 0.1 * 2**failures)
                self._complain(f"Kafka: {type(error).__name__}; trying again in {pause:.1f} s")
                await asyncio.sleep(pause)

    def behind(self, bounds: Mapping[Partition, Cursor]) -> int:
        """Return about how many records are left; behind the last event we need there may be repeats."""
        left = self._left(bounds)
        return sum(max(1, bounds[place].next_offset - self._cursor(place).next_offset) for place in left)

    def _left(self, bounds: Mapping[Partition, Cursor]) -> dict[Partition, int]:
        return {
            place: bound.last_position
            for place, bound in bounds.items()
            if self._cursor(place).last_position < bound.last_position
        }

    def _cursor(self, place: Partition) -> Cursor:
        return self.cursors.get(place, Cursor())

    async def _follow(
        self,
        client: AIOKafkaConsumer,
        bounds: Mapping[Partition, Cursor],
        take: Callable[[Reading], None],
        patience: float,
    ) -> None:
        left = self._left(bounds)
        await _see(client, {topic for topic, _ in left}, patience)
        client.assign([TopicPartition(*place) for place in left])
        begins = await client.beginning_offsets([TopicPartition(*place) for place in left])
        for place in left:
            partition = TopicPartition(*place)
            client.seek(partition, max(self._cursor(place).next_offset, begins[partition]))
        while left:
            try:
                polled = await client.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            except OffsetOutOfRangeError as error:
                for partition in error.args[0]:
                    client.seek(partition, begins[partition])
                    self._complain(
                        f"{partition.topic}/{partition.partition} has changed: reading it from its beginning"
                    )
                await asyncio.sleep(1)
                begins = await client.beginning_offsets(list(begins))
            else:
                await self._take(polled, left, take)
                self._go_back_from_holes(client, left, begins)
            for place in [place for place in left if place not in self._left(bounds)]:
                del left[place]
                client.pause(TopicPartition(*place))
            if left and time.monotonic() - self._moved_at > patience:
                (topic, number), wanted = min(left.items())
                had = self._cursor((topic, number)).last_position
                raise TopicIncomplete(
                    f"{topic}/{number} does not hold what comes after log position {had}, up to {wanted}"
                )

    async def _take(
        self, polled: Mapping[Any, Sequence[Record]], left: Mapping[Partition, int], take: Callable[[Reading], None]
    ) -> None:
        records = {(tp.topic, tp.partition): found for tp, found in polled.items() if (tp.topic, tp.partition) in left}
        reading = self._read(records)
        if any(after.last_position > left[place] for place, after in reading.after.items()):
            reading = self._read({place: _up_to(found, left[place]) for place, found in records.items()})
        if not reading.after:
            return
        await self._settle()
        self._taking = asyncio.create_task(asyncio.to_thread(take, reading))
        await asyncio.sleep(0)  # a task begins when its maker waits, and what is fetched already is not waited for
        if any(after.last_position > self._cursor(place).last_position for place, after in reading.after.items()):
            self._moved_at = time.monotonic()
            self._rewound.difference_update(reading.after)
        self.cursors.update(reading.after)

    def _read(self, records: Mapping[Partition, Sequence[Record]]) -> Reading:
        return self._reader.read(records, {place: self._cursor(place) for place in records})

    async def _settle(self) -> None:
        """Wait until the batch before has been taken, and raise what that raised."""
        if self._taking is not None:
            taking, self._taking = self._taking, None
            await taking

    def _go_back_from_holes(
        self, client: AIOKafkaConsumer, left: Mapping[Partition, int], begins: Mapping[TopicPartition, int]
    ) -> None:
        """Where our place is no place any more, begin again, once; what was taken is recognised. Then wait for the refill behind it."""
        for place in left:
            cursor = self._cursor(place)
            if cursor.hole is not None and place not in self._rewound:
                self._rewound.add(place)
                self.cursors[place] = Cursor(cursor.next_offset, cursor.last_position)
                client.seek(TopicPartition(*place), begins[TopicPartition(*place)])


async def _see(client: AIOKafkaConsumer, topics: set[str], patience: float) -> None:
    """Wait until all topics are there. aiokafka waits for one that it may not see for ever, asking without a pause."""
    deadline = time.monotonic() + patience
    while unseen := topics - await client.topics():
        if time.monotonic() > deadline:
            raise Refused(
                f"Kafka does not show us {', '.join(sorted(unseen))}: `till access list` shows who may do what"
            )
        await asyncio.sleep(0.5)


def _up_to(records: Sequence[Record], position: int) -> list[Record]:
    return [record for record in records if _position(record) <= position]


def _position(record: Record) -> int:
    """Return where in the log a record belongs; rubbish belongs nowhere, and is for the reader to judge."""
    for name, value in reversed(record.headers):
        if name == "ce_logposition":
            return int(value) if value.isdigit() else 0
    return 0


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    client = AIOKafkaConsumer(
        **connection_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_bytes=8_000_000,
        request_timeout_ms=10_000,
    )
    try:
        await client.start()
        # A client that is closed before its tasks took their first step raises CancelledError: let them.
        await asyncio.sleep(0)
        yield client
    finally:
        await client.stop()
