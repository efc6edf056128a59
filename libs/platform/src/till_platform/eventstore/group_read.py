"""Many callers, one query: whoever needs an aggregate while others are being read waits for the next query, which is for all who wait."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

import psycopg

from till_platform.domain import Aggregate

READERS = 2
"""So many queries at once: one account with years of events holds up nobody else."""
AT_ONCE = 64

Read = Callable[[dict[str, type[Aggregate]]], dict[str, Aggregate]]


class _Wanted:
    """An aggregate that somebody waits for."""

    __slots__ = ("cls", "found", "stream")

    def __init__(self, cls: type[Aggregate], stream: str) -> None:
        self.cls = cls
        self.stream = stream
        self.found: asyncio.Future[Aggregate] = asyncio.get_running_loop().create_future()


class GroupRead:
    """What `GroupCommit` is to writing. Every caller gets an aggregate of his own, and his own error if it cannot be read."""

    def __init__(self, read: Read, threads: ThreadPoolExecutor) -> None:
        self._read = read
        self._threads = threads
        self._queue: deque[_Wanted] = deque()
        self._reading = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, cls: type[Aggregate], stream: str) -> Aggregate:
        """Return the aggregate of a stream, an empty one if nothing was ever recorded in it."""
        wanted = _Wanted(cls, stream)
        self._queue.append(wanted)
        if self._reading < READERS:
            self._reading += 1
            # In a context of its own: a reader works for many, and outlives the request that woke it.
            task = asyncio.get_running_loop().create_task(self._run(), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await wanted.found

    async def _run(self) -> None:
        together: dict[str, _Wanted] = {}
        try:
            while together := self._next():
                await self._load(together)
        finally:
            self._reading -= (
                1  # at once, not when the task is seen to be done: whoever comes in between would wake nobody
            )
            for wanted in together.values():
                wanted.found.cancel()  # there are some only if the loop is closing down

    def _next(self) -> dict[str, _Wanted]:
        """Take from the queue what can be read together: of one stream one at a time, since each caller changes what he gets."""
        together: dict[str, _Wanted] = {}
        later: list[_Wanted] = []
        while self._queue and len(together) < AT_ONCE:
            wanted = self._queue.popleft()
            if wanted.found.done():
                continue
            if together.setdefault(wanted.stream, wanted) is not wanted:
                later.append(wanted)
        self._queue.extendleft(reversed(later))
        return together

    async def _load(self, together: Mapping[str, _Wanted]) -> None:
        streams = {stream: wanted.cls for stream, wanted in together.items()}
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, streams)
        except psycopg.Error as error:
            _fail(list(together.values()), error)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            if len(together) == 1:
                _fail(list(together.values()), error)
                return
            for stream, wanted in together.items():  # one of them cannot be read: the others must not suffer for it
                await self._load({stream: wanted})
        else:
            for stream, wanted in together.items():
                if not wanted.found.done():
                    wanted.found.set_result(found[stream])


def _fail(waiting: Sequence[_Wanted], error: Exception) -> None:
    for wanted in waiting:
        if not wanted.found.done():
            wanted.found.set_exception(error)
