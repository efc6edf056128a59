"""Many commands, one transaction: callers hand in their events, which are written together, and each is answered alone."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import chain
from typing import Any

from psycopg import Connection

from till_platform.eventstore.append import Commit, Outcome
from till_platform.eventstore.at_once import FEW
from till_platform.eventstore.commit_lanes import CommitLanes
from till_platform.eventstore.commit_thread import CommitThread
from till_platform.eventstore.errors import VersionConflict
from till_platform.eventstore.in_loop import ConnectInLoop
from till_platform.eventstore.jobs import Job
from till_platform.telemetry import metrics


class GroupCommit:
    """The only appender of a process.

    While transactions are on their way to the disk, the commands that arrive queue up; they form the next one. So the price of a commit is
    shared by all who wait for it, and nobody waits for a timer. A broken connection is replaced, and those whose outcome is unknown are
    told so by the database's exception.
    """

    def __init__(self, connect: Callable[[], Connection[Any]], connect_in_loop: ConnectInLoop) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._thread = CommitThread(connect, committed=self._note)
        self._lanes = CommitLanes(connect_in_loop, refused=self._hand_over, committed=self._note)
        self._closed = False

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each transaction, in whichever thread it was written: how the relay is woken."""
        self._listeners.append(listener)

    async def append(self, commits: Sequence[Commit]) -> list[Outcome]:
        """Append and await the outcome of each commit."""
        if self._closed:
            raise RuntimeError("the event store is closed")
        waiter: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        job = Job(commits, waiter)
        (self._lanes if job.size <= FEW else self._thread).submit(job)
        return await waiter

    def append_blocking(self, commits: Sequence[Commit]) -> list[Outcome]:
        """Append and wait for the outcome of each commit, in a thread that may block."""
        waiter: Future[list[Outcome]] = Future()
        self._thread.submit(Job(commits, waiter))
        return waiter.result()

    async def aclose(self) -> None:
        """Write what is queued, then stop."""
        self._closed = True
        await self._lanes.idle()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Stop. Whoever still waits in an event loop that goes on is answered all the same, unless his command must be refused."""
        self._closed = True
        self._lanes.close()
        self._thread.close()

    def _hand_over(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._thread.submit(job)

    def _note(self, commits: Sequence[Commit], outcomes: Sequence[Outcome], seconds: float) -> None:
        metrics.APPEND_SECONDS.observe(seconds)
        metrics.APPEND_COMMANDS.observe(len(commits))
        taken = (commit.events for commit, outcome in zip(commits, outcomes, strict=True) if isinstance(outcome, int))
        metrics.events_recorded(chain.from_iterable(taken))
        metrics.VERSION_CONFLICTS.inc(sum(isinstance(outcome, VersionConflict) for outcome in outcomes))
        for listener in self._listeners:
            listener()
