"""A service's log as its use cases see it: load an aggregate, decide, save."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from psycopg_pool import ConnectionPool

from till_platform.context import answer_wanted, current, recorded
from till_platform.domain import Aggregate, DomainError, NotFound
from till_platform.eventstore import snapshots
from till_platform.eventstore.append import Commit, StoredAnswer
from till_platform.eventstore.errors import RepeatedCommand, VersionConflict
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.group_read import GroupRead
from till_platform.eventstore.in_loop import ConnectInLoop, InLoop
from till_platform.eventstore.recorder import LogApplication, LogRecorder
from till_platform.eventstore.stored import LoggedEvent
from till_platform.eventstore.streams import WHOLE, folded, read_stream_at, read_streams

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")
_TRIES = 5


class Log:
    """The event store of one service. Everything that is accepted is in here before anybody is told so."""

    def __init__(
        self,
        name: str,
        pool: ConnectionPool[Any],
        committer: GroupCommit,
        threads: ThreadPoolExecutor,
        connect_in_loop: ConnectInLoop,
    ) -> None:
        self.name = name
        self.application = LogApplication(name, LogRecorder(pool, committer))
        self._lane = InLoop(connect_in_loop)
        self._reads = GroupRead(self._read_short, self._read_streams, threads)
        self._pool = pool
        self._committer = committer
        self._threads = threads

    async def find(self, cls: type[A], identity: str) -> A:
        """Return the aggregate; an empty one, whose `exists` is false, if nothing was ever recorded of it."""
        return await self._reads.load(cls, cls.stream(identity))  # type: ignore[return-value]  # it is of the class it was asked as

    async def load(self, cls: type[A], identity: str) -> A:
        """Return the aggregate; raise `NotFound` if nothing was ever recorded of it."""
        return _present(await self.find(cls, identity), cls, identity)

    async def load_at(self, cls: type[A], identity: str, *, version: int) -> A:
        """Return the aggregate as it was after its `version`-th event."""
        found = await self._in_thread(self._read_at, cls, cls.stream(identity), version)
        return _present(found, cls, identity)  # type: ignore[return-value]  # it is of the class it was asked as

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

    def close(self) -> None:
        """Close the connection over which aggregates are read. Pool and committer are their opener's to close."""
        self._lane.close()

    async def _read_short(self, wanted: dict[str, type[Aggregate]]) -> dict[str, Aggregate]:
        found, long = folded(wanted, await self._lane.rows(WHOLE, [list(wanted)], prepare=False))
        return {
            name: aggregate
            for name, aggregate in found.items()
            if aggregate.version < snapshots.EVERY and name not in long
        }

    def _read_streams(self, wanted: dict[str, type[Aggregate]]) -> dict[str, Aggregate]:
        with self._pool.connection() as connection:
            return read_streams(connection, wanted)

    def _read_at(self, cls: type[Aggregate], stream: str, version: int) -> Aggregate:
        with self._pool.connection() as connection:
            return read_stream_at(connection, cls, stream, version)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _collect(aggregates: Iterable[Aggregate]) -> list[LoggedEvent]:
    return [LoggedEvent.of(recorded) for aggregate in aggregates for recorded in aggregate.collect_events()]


def _present(aggregate: A, cls: type[A], identity: str) -> A:
    if not aggregate.exists:
        raise NotFound(f"there is no {cls.kind} {identity}", kind=cls.kind, id=identity)
    return aggregate
