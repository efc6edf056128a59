"""Many commands, one transaction: callers hand in their events, one committer writes them together and answers each alone."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import chain
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from till_platform.eventstore.append import Commit, Outcome, append
from till_platform.eventstore.at_once import FEW, append_at_once
from till_platform.eventstore.errors import DATABASE_AWAY, VersionConflict
from till_platform.telemetry import metrics

MAX_EVENTS = 5_000
"""So many events at most share a transaction: enough to make the disk's part small, few enough to answer soon."""

Result = list[Outcome] | Exception
_log = structlog.get_logger(__name__)


class Job:
    """Commits that were handed in together, and who waits for them."""

    __slots__ = ("commits", "size", "waiter")

    def __init__(
        self, commits: Sequence[Commit], waiter: "asyncio.Future[list[Outcome]] | Future[list[Outcome]]"
    ) -> None:
        self.commits = commits
        self.size = sum(len(commit.events) for commit in commits)
        self.waiter = waiter


class GroupCommit:
    """The only appender of a process.

    While one transaction is on its way to the disk, the commands that arrive queue up; they form the next one. So the price of a commit is
    shared by all who wait for it, and nobody waits for a timer. One thread, one connection; a broken connection is replaced, and those
    whose outcome is unknown are told so by the database's exception.
    """

    def __init__(self, connect: Callable[[], Connection[Any]]) -> None:
        self._connect = connect
        self._connection: Connection[Any] | None = None
        self._queue: deque[Job] = deque()
        self._arrived = threading.Condition()
        self._closed = False
        self._listeners: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each transaction, from the committer's thread: how the relay is woken."""
        self._listeners.append(listener)

    async def append(self, commits: Sequence[Commit]) -> list[Outcome]:
        """Append and await the outcome of each commit."""
        waiter: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._submit(Job(commits, waiter))
        return await waiter

    def append_blocking(self, commits: Sequence[Commit]) -> list[Outcome]:
        """Append and wait for the outcome of each commit, in a thread that may block."""
        waiter: Future[list[Outcome]] = Future()
        self._submit(Job(commits, waiter))
        return waiter.result()

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._thread.join()

    def _submit(self, job: Job) -> None:
        with self._arrived:
            if self._closed:
                raise RuntimeError("the event store is closed")
            self._queue.append(job)
            self._arrived.notify()

    def _run(self) -> None:
        while jobs := self._next():
            self._commit(jobs)
            for listener in self._listeners:
                listener()
        if self._connection is not None:
            self._connection.close()

    def _next(self) -> list[Job]:
        with self._arrived:
            while not self._queue and not self._closed:
                self._arrived.wait()
            jobs: list[Job] = []
            room = MAX_EVENTS
            while self._queue and room > 0:
                jobs.append(self._queue.popleft())
                room -= jobs[-1].size
            return jobs

    def _commit(self, jobs: Sequence[Job]) -> None:
        try:
            outcomes = self._transact([commit for job in jobs for commit in job.commits])
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(jobs) == 1:
                _answer([(jobs[0], error)])
                return
            for job in jobs:  # one of them cannot be stored: the others must not suffer for it
                self._commit([job])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            _log.warning("append_failed", error=type(error).__name__, commands=len(jobs))
            _answer([(job, error) for job in jobs])
        else:
            results: list[tuple[Job, Result]] = []
            start = 0
            for job in jobs:
                results.append((job, outcomes[start : start + len(job.commits)]))
                start += len(job.commits)
            _answer(results)

    def _transact(self, commits: Sequence[Commit]) -> list[Outcome]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        try:
            with metrics.APPEND_SECONDS.time():
                outcomes = _append(self._connection, commits)
        except DATABASE_AWAY:
            self._connection.close()
            raise
        metrics.APPEND_COMMANDS.observe(len(commits))
        taken = (commit.events for commit, outcome in zip(commits, outcomes, strict=True) if isinstance(outcome, int))
        metrics.events_recorded(chain.from_iterable(taken))
        metrics.VERSION_CONFLICTS.inc(sum(isinstance(outcome, VersionConflict) for outcome in outcomes))
        return outcomes


def _append(connection: Connection[Any], commits: Sequence[Commit]) -> list[Outcome]:
    """Append in a transaction of one statement if nothing speaks against it, else in one that looks at each commit."""
    if sum(len(commit.events) for commit in commits) <= FEW and (outcomes := append_at_once(connection, commits)):
        return outcomes
    with connection.transaction():
        return append(connection, commits)


def _answer(results: Sequence[tuple[Job, Result]]) -> None:
    """Wake those who wait: once per event loop, since every wake-up is a hand-over of the interpreter lock."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[list[Outcome]], Result]]] = defaultdict(list)
    for job, result in results:
        if isinstance(job.waiter, asyncio.Future):
            by_loop[job.waiter.get_loop()].append((job.waiter, result))
        elif isinstance(result, Exception):
            job.waiter.set_exception(result)
        else:
            job.waiter.set_result(result)
    for loop, waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, waiting)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("nobody_waits", commands=len(waiting))


def _resolve(waiting: Sequence[tuple["asyncio.Future[list[Outcome]]", Result]]) -> None:
    for waiter, result in waiting:
        if waiter.done():
            continue
        if isinstance(result, Exception):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)
