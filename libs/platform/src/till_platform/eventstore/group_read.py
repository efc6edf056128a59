"""Many callers, one query: whoever needs an aggregate while others are being read waits for the next query, which is for all who wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

import psycopg

from till_platform.domain import Aggregate

AT_ONCE = 64

Wanted = dict[str, type[Aggregate]]
"""Aggregates to read, by stream."""


class _Waiting:
    """An aggregate that somebody waits for."""

    __slots__ = ("cls", "found", "stream")

    def __init__(self, cls: type[Aggregate], stream: str) -> None:
        self.cls = cls
        self.stream = stream
        self.found: asyncio.Future[Aggregate] = asyncio.get_running_loop().create_future()


class GroupRead:
    """What `GroupCommit` is to writing. Every caller gets an aggregate of his own, and his own error if it cannot be read.

    `read_short` runs in the event loop and returns those that are soon read, one query at a time. All others, and everything if it fails,
    are left to `read`, in a thread: one account with years of events holds up nobody else.
    """

    def __init__(
        self,
        read_short: Callable[[Wanted], Awaitable[dict[str, Aggregate]]],
        read: Callable[[Wanted], dict[str, Aggregate]],
        threads: ThreadPoolExecutor,
    ) -> None:
        self._read_short = read_short
        self._read = read
        self._threads = threads
        self._queue: deque[_Waiting] = deque()
        self._reading = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, cls: type[Aggregate], stream: str) -> Aggregate:
        """Return the aggregate of a stream, an empty one if nothing was ever recorded in it."""
        waiting = _Waiting(cls, stream)
        self._queue.append(waiting)
        if not self._reading:
            self._reading = True
            self._begin(self._run())
        return await waiting.found

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """In a context of its own: who reads works for many, and outlives the request that woke him."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        together: dict[str, _Waiting] = {}
        try:
            while together := self._next():
                if long := await self._answer_short(together):
                    self._begin(self._answer(long))
        finally:
            # At once, not when the task is seen to be done: whoever comes in between would wake nobody.
            self._reading = False
            for waiting in together.values():
                waiting.found.cancel()  # there are some only if the loop is closing down

    def _next(self) -> dict[str, _Waiting]:
        """Take from the queue what can be read together: of one stream one at a time, since each caller changes what he gets."""
        together: dict[str, _Waiting] = {}
        later: list[_Waiting] = []
        while self._queue and len(together) < AT_ONCE:
            waiting = self._queue.popleft()
            if waiting.found.done():
                continue
            if together.setdefault(waiting.stream, waiting) is not waiting:
                later.append(waiting)
        self._queue.extendleft(reversed(later))
        return together

    async def _answer_short(self, together: Mapping[str, _Waiting]) -> dict[str, _Waiting]:
        """Answer whom a glance is enough for; return the others."""
        try:
            found = await self._read_short(_wanted(together))
        except Exception:  # noqa: BLE001 - whatever it is, who reads in a thread will meet it again and tell whom it concerns
            return dict(together)
        _give(together, found)
        return {stream: waiting for stream, waiting in together.items() if stream not in found}

    async def _answer(self, together: Mapping[str, _Waiting]) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, _wanted(together))
        except psycopg.Error as error:
            _fail(list(together.values()), error)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            if len(together) == 1:
                _fail(list(together.values()), error)
                return
            for stream, waiting in together.items():  # one of them cannot be read: the others must not suffer for it
                await self._answer({stream: waiting})
        else:
            _give(together, found)
        finally:
            for waiting in together.values():
                waiting.found.cancel()  # there are some only if the loop is closing down


def _wanted(together: Mapping[str, _Waiting]) -> Wanted:
    return {stream: waiting.cls for stream, waiting in together.items()}


def _give(together: Mapping[str, _Waiting], found: Mapping[str, Aggregate]) -> None:
    for stream, aggregate in found.items():
        if not together[stream].found.done():
            together[stream].found.set_result(aggregate)


def _fail(waiting: Sequence[_Waiting], error: Exception) -> None:
    for one in waiting:
        if not one.found.done():
            one.found.set_exception(error)
