"""Commits that were handed in together, and who waits for what becomes of them."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future

import structlog

from till_platform.eventstore.append import Commit, Outcome

Result = list[Outcome] | Exception
BY_INDEX = "SET enable_seqscan = off"
"""Plans are kept, and one that was made for an empty log, where reading all of it is cheapest, would be kept while it fills."""
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


def answer_all(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
    """Hand out the outcomes, which are those of all jobs in a row."""
    results: list[tuple[Job, Result]] = []
    start = 0
    for job in jobs:
        results.append((job, list(outcomes[start : start + len(job.commits)])))
        start += len(job.commits)
    _answer(results)


def fail_all(jobs: Sequence[Job], error: Exception) -> None:
    """Tell all who wait the same error."""
    _answer([(job, error) for job in jobs])


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
        if _runs_here(loop):
            _resolve(waiting)
            continue
        try:
            loop.call_soon_threadsafe(_resolve, waiting)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("nobody_waits", commands=len(waiting))


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:  # in the committer's thread none does
        return False


def _resolve(waiting: Sequence[tuple["asyncio.Future[list[Outcome]]", Result]]) -> None:
    for waiter, result in waiting:
        if waiter.done():
            continue
        if isinstance(result, Exception):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)
