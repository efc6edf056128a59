"""Building a projection anew from the topics, beside the live tables: to swap it in, or to see that the live one is right."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from psycopg import Connection

from till_events.base import declaration_of
from till_platform.batch import Batch
from till_platform.kafka.connection import connection_options
from till_platform.kafka.refusals import Refused
from till_platform.kafka.signatures import trust_of
from till_platform.projections import tables
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.settings import Settings
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.reading import Hole, Reader, Record
from till_platform.worker.transaction import facts_of

BATCH = 5_000
POLL_MS = 500
REFILL_PATIENCE_SECONDS = 30.0
ALMOST = 2_000
"""So few records before the end, the live consumer is halted for the rest."""

_log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]
"""Told how many records were read and how many there are."""

_BOUNDS = "SELECT topic, partition, next_offset FROM checkpoint WHERE consumer = %s AND topic = ANY(%s)"
_SKIPPED = """
SELECT topic, partition, "offset" FROM dead_letter
WHERE consumer = %s AND reason <> 'forged' AND (settled_at IS NULL OR settled_how <> 'retried')
"""
"""What is forged every reader finds out for itself."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fingerprints of a projection as it lives and as it was built anew, up to the same offsets."""

    name: str
    live: str
    rebuilt: str

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


class Rebuild:
    """Folds some projections of one consumer from offset 0 into schemas beside the live ones."""

    def __init__(
        self,
        settings: Settings,
        consumer: str,
        projections: Sequence[Projection],
        connection: Connection[Any],
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._projections = projections
        self._connection = connection
        self._progress = progress
        self._reader = Reader([cls for projection in projections for cls in projection.of], trust_of(settings))
        self._topics = sorted({settings.topic(declaration_of(cls).owner) for part in projections for cls in part.of})
        self._cursors: dict[Partition, Cursor] = {}

    async def compare(self) -> list[Comparison]:
        """Build the projections up to where the live ones stand, compare the fingerprints, and leave the live ones as they are."""
        self._wait_for_others()
        live, bounds = self._live()
        deadline = time.monotonic() + REFILL_PATIENCE_SECONDS
        while True:
            try:
                await self._from_the_beginning(bounds)
                break
            except (Hole, KafkaError) as error:  # a topic that was wiped a moment ago is being refilled
                if time.monotonic() > deadline:
                    raise
                _log.warning("rebuild_again", consumer=self._consumer, error=type(error).__name__, detail=str(error))
                await asyncio.sleep(1)
                live, bounds = self._live()
        rebuilt = {
            part.name: tables.digest(self._connection, part, part.name + tables.REBUILT) for part in self._projections
        }
        self._drop()
        return [Comparison(name, digest, rebuilt[name]) for name, digest in live.items()]

    async def swap(self) -> None:
        """Build the projections, halt the live consumer for the last records, and put the new tables in place of the old."""
        self._wait_for_others()
        bounds = self._bounds()
        await self._from_the_beginning(bounds)
        async with _open(self._settings) as client:
            while sum(self._bounds().values()) - sum(bounds.values()) > ALMOST:
                bounds = self._bounds()
                await self._read_to(client, bounds)
            with self._connection.transaction():
                await self._read_to(client, self._bounds(lock=True))
                for part in self._projections:
                    tables.swap(self._connection, part)

    def _live(self) -> tuple[dict[str, str], dict[Partition, int]]:
        """Return the fingerprints of the live tables and the offsets up to which they are made, both of one instant."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            live = {part.name: tables.digest(self._connection, part, part.name) for part in self._projections}
            return live, self._bounds()

    def _wait_for_others(self) -> None:
        """Two rebuilds at once would build into each other's tables. The lock is given back when the session ends."""
        with self._connection.transaction():
            self._connection.execute("SET LOCAL lock_timeout = 0")
            self._connection.execute("SELECT pg_advisory_lock(hashtext('rebuild'), hashtext(%s))", [self._consumer])

    async def _from_the_beginning(self, bounds: Mapping[Partition, int]) -> None:
        self._drop()
        self._cursors = {}
        for part in self._projections:
            tables.create(self._connection, part, part.name + tables.REBUILT)
        async with _open(self._settings) as client:
            await self._read_to(client, bounds)

    async def _read_to(self, client: AIOKafkaConsumer, bounds: Mapping[Partition, int]) -> None:
        # A client that is closed before its tasks took their first step raises CancelledError: let them, as nothing may be left to read.
        await asyncio.sleep(0)
        total = sum(bounds.values())
        skipped = set(self._connection.execute(_SKIPPED, [self._consumer]).fetchall())
        left = {place: end for place, end in bounds.items() if self._cursor(place).next_offset < end}
        await _see(client, {topic for topic, _ in left})
        client.assign([TopicPartition(*place) for place in left])
        for place in left:
            client.seek(TopicPartition(*place), self._cursor(place).next_offset)
        while left:
            polled = await client.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            records = {
                (tp.topic, tp.partition): [record for record in found if record.offset < left[tp.topic, tp.partition]]
                for tp, found in polled.items()
                if (tp.topic, tp.partition) in left
            }
            self._fold(records, skipped)
            for place in [place for place, end in left.items() if await client.position(TopicPartition(*place)) >= end]:
                del left[place]
                client.pause(TopicPartition(*place))
                if self._cursor(place).hole is not None:
                    raise Hole(place, self._cursor(place))
            if self._progress:
                self._progress(sum(cursor.next_offset for cursor in self._cursors.values()), total)

    def _fold(self, records: Mapping[Partition, Sequence[Record]], skipped: set[tuple[str, int, int]]) -> None:
        reading = self._reader.read(records, {place: self._cursor(place) for place in records})
        facts = [f for f in facts_of(reading.entries) if (f.topic, f.partition, f.offset) not in skipped]
        batch = Batch(facts)
        with self._connection.transaction():
            for part in self._projections:
                mine = batch.only(part.of)
                if len(mine):
                    with tables.inside(self._connection, part.name + tables.REBUILT):
                        part.fold(mine, Db(self._connection))
        self._cursors.update(reading.after)

    def _cursor(self, place: Partition) -> Cursor:
        return self._cursors.setdefault(place, Cursor())

    def _bounds(self, *, lock: bool = False) -> dict[Partition, int]:
        query = _BOUNDS + (" ORDER BY topic, partition FOR UPDATE" if lock else "")
        rows = self._connection.execute(query, [self._consumer, self._topics])
        return {(topic, number): offset for topic, number, offset in rows}

    def _drop(self) -> None:
        for part in self._projections:
            tables.drop(self._connection, part.name + tables.REBUILT)


async def _see(client: AIOKafkaConsumer, topics: set[str]) -> None:
    """Wait until all topics are there. aiokafka waits for one that it may not see for ever, asking without a pause."""
    deadline = time.monotonic() + REFILL_PATIENCE_SECONDS
    while unseen := topics - await client.topics():
        if time.monotonic() > deadline:
            raise Refused(
                f"Kafka does not show us {', '.join(sorted(unseen))}: `till access list` shows who may do what"
            )
        await asyncio.sleep(0.5)


def _open(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **connection_options(settings), enable_auto_commit=False, auto_offset_reset="none", fetch_max_bytes=8_000_000
    )
