"""A service's log as its use cases see it: load an aggregate, decide, save."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from eventsourcing.application import AggregateNotFoundError
from psycopg import Connection
from psycopg_pool import ConnectionPool

from till_platform.context import answer_wanted, current, recorded
from till_platform.domain import Aggregate, DomainError, NotFound
from till_platform.eventstore import snapshots
from till_platform.eventstore.append import Commit, StoredAnswer
from till_platform.eventstore.errors import RepeatedCommand, VersionConflict
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.group_read import GroupRead
from till_platform.eventstore.recorder import LogApplication, LogRecorder, as_stored
from till_platform.eventstore.stored import LoggedEvent, LogMapper

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")
_TRIES = 5
ROWS_AT_ONCE = 1_000
_NEWER = """
SELECT log.stream, log.sequence, log.type, log.data, log.key
FROM unnest(%s::text[], %s::int[]) AS known (stream, version)
JOIN log ON log.stream = known.stream AND log.sequence > known.version
ORDER BY log.stream, log.sequence
"""


class Log:
    """The event store of one service. Everything that is accepted is in here before anybody is told so."""

    def __init__(
        self, name: str, pool: ConnectionPool[Any], committer: GroupCommit, threads: ThreadPoolExecutor
    ) -> None:
        self.name = name
        self.application = LogApplication(name, LogRecorder(pool, committer))
        self._reads = GroupRead(self._read_streams, threads)
        self._pool = pool
        self._committer = committer
        self._threads = threads

    async def find(self, cls: type[A], identity: str) -> A:
        """Return the aggregate; an empty one, whose `exists` is false, if nothing was ever recorded of it."""
        return await self._reads.load(cls, cls.stream(identity))  # type: ignore[return-value]  # it is of the class it was asked as

    async def load(self, cls: type[A], identity: str) -> A:
        """Return the aggregate; raise `NotFound` if nothing was ever recorded of it."""
        found = await self.find(cls, identity)
        return _present(found if found.exists else None, cls, identity)

    async def load_at(self, cls: type[A], identity: str, *, version: int) -> A:
        """Return the aggregate as it was after its `version`-th event."""
        found: A | None = await self._in_thread(self._read_at, cls, identity, version)
        return _present(found, cls, identity)

    async def load_many(self, cls: type[A], identities: Iterable[str]) -> dict[str, A]:
        """Return many aggregates by identity, read in one query; those of which nothing was ever recorded are empty."""
        wanted = sorted(set(identities))

        found = await self._in_thread(self._read_streams, {cls.stream(identity): cls for identity in wanted})
        return {identity: found[cls.stream(identity)] for identity in wanted}  # type: ignore[misc]  # built from `cls`

    async def save(self, *aggregates: Aggregate, done: int | None = None) -> int:
        """Record what the aggregates decided, all or nothing, and return the position of the last event.

        `done` is the id of an outgoing effect that is thereby finished. If the command carries an idempotency key, the answer to it is
        rendered from the first aggregate and stored in the same transaction. Raises `VersionConflict` or `RepeatedCommand`.
        """
        wanted = answer_wanted()
        answer = StoredAnswer(wanted.key, wanted.fingerprint, *wanted.render(aggregates[0])) if wanted else None
        commit = Commit(_collect(aggregates), current(), answer, done)
        if not commit.events and not answer and done is None:
            return 0
        (outcome,) = await self._committer.append([commit])
        if isinstance(outcome, Exception):
            raise outcome
        recorded(outcome)
        return outcome

    async def save_each(self, aggregates: Sequence[Aggregate]) -> list[int | DomainError]:
        """Record what many aggregates decided, each on its own: a conflict of one refuses that one only. One transaction, one wait."""
        context = current()
        commits = [Commit(_collect([aggregate]), context) for aggregate in aggregates]
        outcomes = await self._committer.append([commit for commit in commits if commit.events])
        saved = iter(outcomes)
        return [next(saved) if commit.events else 0 for commit in commits]  # type: ignore[misc]  # no answer, so never a repeat

    async def retrying(self, handle: Callable[[], Awaitable[T]]) -> T:
        """Run a use case again when somebody else was faster: read again, decide again. Gives up after a few tries."""
        for _ in range(_TRIES - 1):
            try:
                return await handle()
            except VersionConflict:
                await asyncio.sleep(0)
        return await handle()

    async def answer_to(self, key: str) -> RepeatedCommand | None:
        """Return the answer that was given to a command under this idempotency key, if there was one."""

        def read() -> RepeatedCommand | None:
            with self._pool.connection() as connection:
                row = connection.execute(
                    "SELECT key, status, body, fingerprint FROM answer WHERE key = %s", [key]
                ).fetchone()
            return RepeatedCommand(*row) if row else None

        return await self._in_thread(read)

    async def position(self) -> int:
        """Return the position of the last event recorded."""
        return await self._in_thread(self.application.recorder.max_notification_id) or 0

    def _read_streams(self, wanted: dict[str, type[Aggregate]]) -> dict[str, Aggregate]:
        with self._pool.connection() as connection:
            return read_streams(connection, wanted)

    def _read_at(self, cls: type[A], identity: str, version: int) -> A | None:
        try:
            found: A = self.application.repository.get(
                cls.stream(identity), version=version, projector_func=cls.project
            )
        except AggregateNotFoundError:
            return None
        return found

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def read_streams(connection: Connection[Any], wanted: dict[str, type[Aggregate]]) -> dict[str, Aggregate]:
    """Fold many streams; a stream without events gives an empty aggregate."""
    remembered = snapshots.read_snapshots(connection, wanted)
    found = {stream: remembered.get(stream) or cls(stream) for stream, cls in wanted.items()}
    bring_up_to_date(connection, found)
    return found


def bring_up_to_date(connection: Connection[Any], aggregates: Mapping[str, Aggregate]) -> None:
    """Fold into aggregates, by stream, what was recorded since, in one query. Those that took long are remembered for the next time.

    The rows come a few at a time: a worker that has just started has years of a thousand customers to read for its first batch.
    """
    mapper = LogMapper()
    versions = [aggregate.version for aggregate in aggregates.values()]
    for row in connection.cursor().stream(_NEWER, [list(aggregates), versions], size=ROWS_AT_ONCE):
        recorded = mapper.to_domain_event(as_stored(row))
        aggregate = aggregates[recorded.originator_id]
        aggregate.key = recorded.key
        type(aggregate).project(aggregate, [recorded])
    long = [
        aggregate
        for aggregate, before in zip(aggregates.values(), versions, strict=True)
        if aggregate.version - before >= snapshots.EVERY
    ]
    snapshots.write_snapshots(connection, long)


def _collect(aggregates: Iterable[Aggregate]) -> list[LoggedEvent]:
    return [LoggedEvent.of(recorded) for aggregate in aggregates for recorded in aggregate.collect_events()]


def _present(aggregate: A | None, cls: type[A], identity: str) -> A:
    if aggregate is None:
        raise NotFound(f"there is no {cls.kind} {identity}", kind=cls.kind, id=identity)
    return aggregate
