"""Building a projection anew from the topics, beside the live tables: to swap it in, or to see that the live one is right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError
from psycopg import Connection

from till_events.base import declaration_of
from till_platform.batch import Batch
from till_platform.kafka.signatures import trust_of
from till_platform.projections import tables
from till_platform.projections.db import Db
from till_platform.projections.difference import Causes, Difference, first_difference
from till_platform.projections.following import PATIENCE_SECONDS, Complain, Follower, TopicIncomplete, log_complaint
from till_platform.projections.projection import Projection
from till_platform.projections.shadow import Shadow
from till_platform.settings import Settings
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.reading import Reader, Reading
from till_platform.worker.transaction import facts_of

ALMOST = 2_000
"""So few records before the end, the live consumer is halted for the rest."""
HALTED_SECONDS = 8.0
"""How long the live consumer is kept waiting at most: it gives up at 10 s, and would begin its batch again."""
TRIES = 20

Progress = Callable[[int, int], None]
"""Told how many records were read and how many there are."""

_BOUNDS = "SELECT topic, partition, next_offset, last_position FROM checkpoint WHERE consumer = %s AND topic = ANY(%s)"
_SKIPPED = """
SELECT topic, (headers ->> 'ce_logposition')::bigint FROM dead_letter
WHERE consumer = %s AND reason <> 'forged' AND (settled_at IS NULL OR settled_how <> 'retried')
    AND headers ->> 'ce_logposition' ~ '^[0-9]{1,18}$'
"""
"""What is forged every reader finds out for itself."""
_RETRIED = "SELECT 1 FROM dead_letter WHERE consumer = %s AND settled_how = 'retried' AND settled_at >= %s LIMIT 1"
_NO_RETRY = "SELECT pg_advisory_xact_lock(hashtext('letters'), hashtext(%s))"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fingerprints of a projection as it lives and as it was built anew, up to the same events; and where they part, if they do."""

    name: str
    live: str
    rebuilt: str
    difference: Difference | None = None

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


@dataclass(frozen=True, slots=True)
class _Stand:
    """How far the live consumer has come, and which events of that are in its dead letters, by topic and log position."""

    bounds: Mapping[Partition, Cursor]
    skipped: frozenset[tuple[str, int]]


class Rebuild:
    """Folds some projections of one consumer from the first event into schemas beside the live ones."""

    def __init__(
        self,
        settings: Settings,
        consumer: str,
        projections: Sequence[Projection],
        connection: Connection[Any],
        progress: Progress | None = None,
        complain: Complain = log_complaint,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._projections = projections
        self._connection = connection
        self._progress = progress or (lambda _read, _total: None)
        self._complain = complain
        self._patience_seconds = patience_seconds
        self._reader = Reader([cls for projection in projections for cls in projection.of], trust_of(settings))
        self._topics = sorted({settings.topic(declaration_of(cls).owner) for part in projections for cls in part.of})

    async def compare(self) -> list[Comparison]:
        """Build the projections up to where the live ones stand, compare the fingerprints, and leave the live ones as they are.

        Where they differ the live consumer is halted for a moment, so that the very rows can be compared.
        """
        self._wait_for_others()
        shadow = Shadow(self._connection, self._projections, tables.COMPARED)
        shadow.create()
        try:
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # all of one instant
                live = {part.name: tables.digest(self._connection, part, part.name) for part in self._projections}
                stand = self._stand()
            follower = await self._fold(shadow, {}, stand)
            rebuilt = {
                part.name: tables.digest(self._connection, part, shadow.schema(part)) for part in self._projections
            }
            different = [part for part in self._projections if live[part.name] != rebuilt[part.name]]
            found = await self._differences(shadow, follower, different) if different else {}
        finally:
            shadow.drop()
        return [Comparison(name, digest, rebuilt[name], found.get(name)) for name, digest in live.items()]

    async def swap(self) -> None:
        """Build the projections, halt the live consumer for the last records, and put the new tables in place of the old.

        One that was interrupted is gone on with, if neither the versions nor the code have changed since.
        """
        self._wait_for_others()
        shadow = Shadow(self._connection, self._projections, tables.REBUILT)
        if shadow.can_go_on():
            self._complain("going on with what was built before")
        else:
            shadow.create()
        for attempt in range(TRIES):
            follower = await self._fold(shadow, shadow.cursors(), self._stand())
            while follower.behind((stand := self._stand()).bounds) > ALMOST:
                follower = await self._fold(shadow, follower.cursors, stand)
            try:
                if await self._swapped(shadow, follower.cursors):
                    return
                self._complain("a dead letter was taken again meanwhile: beginning anew")
                shadow.create()
            except (KafkaError, TopicIncomplete) as error:
                if attempt == TRIES - 1:
                    raise
                self._complain(f"not swapped yet: {type(error).__name__}")

    async def _swapped(self, shadow: Shadow, cursors: Mapping[Partition, Cursor]) -> bool:
        """Take the rest while the live consumer waits, and swap; return whether that would be right."""
        with self._connection.transaction():
            self._connection.execute(_NO_RETRY, [self._consumer])
            tables.halt(self._connection, self._projections)
            stand = self._stand(lock=True)
            if self._connection.execute(_RETRIED, [self._consumer, shadow.started_at()]).fetchone():
                return False  # it is in the live tables, and was left out here
            await self._fold(shadow, cursors, stand, patience_seconds=HALTED_SECONDS)
            shadow.forget_progress()
            for part in self._projections:
                tables.swap(self._connection, part)
        return True

    async def _differences(
        self, shadow: Shadow, follower: Follower, different: Sequence[Projection]
    ) -> dict[str, Difference]:
        """Bring what was built to where the live consumer is now, and compare row by row."""
        with self._connection.transaction():
            self._connection.execute(_NO_RETRY, [self._consumer])
            tables.halt(self._connection, self._projections)
            stand = self._stand(lock=True)
            await self._fold(shadow, follower.cursors, stand, patience_seconds=HALTED_SECONDS)
            found = {part.name: first_difference(self._connection, part, shadow.schema(part)) for part in different}
        causes = {name: Causes(difference) for name, difference in found.items() if difference is not None}
        await self._look_for(causes, different, stand)
        return {name: cause.told() for name, cause in causes.items()}

    async def _look_for(self, causes: Mapping[str, Causes], different: Sequence[Projection], stand: _Stand) -> None:
        """Read everything once more for the events that speak of the rows."""

        def take(reading: Reading) -> None:
            batch = Batch(facts_of(reading.entries))
            for part in different:
                if part.name in causes:
                    causes[part.name].add(batch.only(part.of))

        if causes:
            await Follower(self._settings, self._reader, {}, self._complain).read_to(stand.bounds, take)

    async def _fold(
        self,
        shadow: Shadow,
        cursors: Mapping[Partition, Cursor],
        stand: _Stand,
        *,
        patience_seconds: float | None = None,
    ) -> Follower:
        follower = Follower(self._settings, self._reader, cursors, self._complain)
        total = sum(bound.next_offset for bound in stand.bounds.values())

        def take(reading: Reading) -> None:
            facts = facts_of(reading.entries)
            if stand.skipped:  # asked of every event there is, and as a rule there are none
                facts = [fact for fact in facts if (fact.topic, fact.position) not in stand.skipped]
            batch = Batch(facts)
            with self._connection.transaction():
                for part in self._projections:
                    mine = batch.only(part.of)
                    if len(mine):
                        with tables.inside(self._connection, shadow.schema(part)):
                            part.fold(mine, Db(self._connection))
                shadow.save(reading.after)
            self._progress(max(0, total - follower.behind(stand.bounds)), total)

        await follower.read_to(stand.bounds, take, patience_seconds=patience_seconds or self._patience_seconds)
        self._progress(total, total)
        return follower

    def _stand(self, *, lock: bool = False) -> _Stand:
        query = _BOUNDS + (" ORDER BY topic, partition FOR UPDATE" if lock else "")
        rows = self._connection.execute(query, [self._consumer, self._topics]).fetchall()
        skipped = self._connection.execute(_SKIPPED, [self._consumer]).fetchall()
        return _Stand(
            {(topic, number): Cursor(*place) for topic, number, *place in rows},
            frozenset((topic, position) for topic, position in skipped),
        )

    def _wait_for_others(self) -> None:
        """Two rebuilds at once would build into each other's tables. The lock is given back when the session ends."""
        with self._connection.transaction():
            self._connection.execute("SET LOCAL lock_timeout = 0")
            self._connection.execute("SELECT pg_advisory_lock(hashtext('rebuild'), hashtext(%s))", [self._consumer])
