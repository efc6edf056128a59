"""Small transactions, written by the event loop itself: two on their way at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context

import psycopg
import structlog

from till_platform.eventstore.append import Commit, Outcome
from till_platform.eventstore.at_once import APPEND, FEW, AtOnce
from till_platform.eventstore.in_loop import ConnectInLoop, InLoop
from till_platform.eventstore.jobs import BY_INDEX, Job, answer_all, fail_all

LANES = 2
"""While one transaction is written the next stands behind its lock, and starts without having to be sent for."""
_log = structlog.get_logger(__name__)


class CommitLanes:
    """Appends at once what fits; what does not is handed on to somebody who finds out why."""

    def __init__(
        self,
        connect: ConnectInLoop,
        *,
        refused: Callable[[Sequence[Job]], None],
        committed: Callable[[Sequence[Commit], Sequence[Outcome], float], None],
    ) -> None:
        self._free = [InLoop(connect, first=BY_INDEX) for _ in range(LANES)]
        self._queue: deque[Job] = deque()
        self._flying = 0
        self._refused = refused
        self._committed = committed
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, job: Job) -> None:
        """Take a job of the running event loop."""
        self._queue.append(job)
        if self._free:
            # In a context of its own: a lane works for many, and outlives the request that woke it.
            work = self._drive(self._free.pop())
            task = asyncio.get_running_loop().create_task(work, context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until everything is written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Close the connections: those that are busy as soon as they are not."""
        self._closed = True
        for lane in self._free:
            lane.close()

    async def _drive(self, lane: InLoop) -> None:
        jobs: list[Job] = []
        try:
            while jobs := self._share():
                self._flying += len(jobs)
                try:
                    await self._commit(lane, jobs)
                finally:
                    self._flying -= len(jobs)
        finally:
            for job in jobs:
                job.waiter.cancel()  # there are some only if the loop is closing down
            self._free.append(lane)
            if self._closed:
                lane.close()

    def _share(self) -> list[Job]:
        """Take half of all there is, what is on its way counted: so the two lanes take turns, one writing while the other is filled."""
        share = -(-(len(self._queue) + self._flying) // LANES)
        room = FEW
        jobs: list[Job] = []
        while self._queue and len(jobs) < share and (not jobs or self._queue[0].size <= room):
            jobs.append(self._queue.popleft())
            room -= jobs[-1].size
        return jobs

    async def _commit(self, lane: InLoop, jobs: Sequence[Job]) -> None:
        started = asyncio.get_running_loop().time()
        commits = [commit for job in jobs for commit in job.commits]
        try:
            outcomes = await _append(lane, AtOnce(commits))
        except (psycopg.DataError, psycopg.IntegrityError):
            outcomes = None  # one of them cannot be stored: the others must not suffer for it
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            _log.warning("append_failed", error=type(error).__name__, commands=len(jobs))
            fail_all(jobs, error)
            return
        if outcomes is None:
            self._refused(jobs)
        else:
            self._committed(commits, outcomes, asyncio.get_running_loop().time() - started)
            answer_all(jobs, outcomes)


async def _append(lane: InLoop, together: AtOnce) -> list[int] | None:
    if not together.fits:
        return None
    ((head,),) = await lane.rows(APPEND, together.parameters)
    return None if head is None else together.positions(head)
