"""Large transactions, and those of which something must be refused: a thread of their own, one at a time."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from till_platform.eventstore.append import Commit, Outcome, append
from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.eventstore.jobs import BY_INDEX, Job, answer_all, fail_all

MAX_EVENTS = 5_000
"""So many events at most share a transaction: enough to make the disk's part small, few enough to answer soon."""
_log = structlog.get_logger(__name__)


class CommitThread:
    """While one transaction is on its way to the disk, the jobs that arrive queue up; they form the next one."""

    def __init__(
        self,
        connect: Callable[[], Connection[Any]],
        *,
        committed: Callable[[Sequence[Commit], Sequence[Outcome], float], None],
    ) -> None:
        self._connect = connect
        self._committed = committed
        self._connection: Connection[Any] | None = None
        self._queue: deque[Job] = deque()
        self._arrived = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Take a job."""
        with self._arrived:
            if self._closed:
                raise RuntimeError("the event store is closed")
            self._queue.append(job)
            self._arrived.notify()

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._thread.join()

    def _run(self) -> None:
        while jobs := self._next():
            self._commit(jobs)
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
        started = perf_counter()
        commits = [commit for job in jobs for commit in job.commits]
        try:
            outcomes = self._transact(commits)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(jobs) == 1:
                fail_all(jobs, error)
                return
            for job in jobs:  # one of them cannot be stored: the others must not suffer for it
                self._commit([job])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            _log.warning("append_failed", error=type(error).__name__, commands=len(jobs))
            fail_all(jobs, error)
        else:
            self._committed(commits, outcomes, perf_counter() - started)
            answer_all(jobs, outcomes)

    def _transact(self, commits: Sequence[Commit]) -> list[Outcome]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.execute(BY_INDEX)
        try:
            with self._connection.transaction():
                return append(self._connection, commits)
        except DATABASE_AWAY:
            self._connection.close()
            raise
