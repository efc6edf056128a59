"""Virtual time and the scheduler: every process and every thread takes its steps when the seed says so.

A process is an event loop of its own, a thread is a greenlet: production code runs in both as it is. What they wait for is modelled, so
that one interpreter thread runs a whole installation, and runs it again in the same order under the same seed.
"""

import asyncio
import heapq
import random
from asyncio.events import _set_running_loop  # how an event loop says that it runs
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

EPOCH = datetime(2026, 3, 1, 8, tzinfo=UTC)
LONGEST_STEP = 0.0005
"""A step takes up to so many virtual seconds, so that timers also ring while there is work."""
SLOW = 0.004
"""So many of the messages are slow: a thread that the scheduler forgot, a packet sent again."""
MOST_AWAITS = 9
"""In how many places at most a coroutine awaits something again while it is being closed."""
Handle = asyncio.Handle


class Stuck(Exception):
    """There are so many steps that the run would not end."""


class World:
    """What one seed decides: the order of all steps, every delay and every fault."""

    def __init__(self, seed: int, *, slow: float = SLOW) -> None:
        self.seed = seed
        self.slow = slow
        self.random = random.Random(seed)
        self.haste = self.random.choice((0.0, 0.3, 0.8))
        self.now = 0.0
        self.steps = 0
        self.timeline: list[tuple[float, str, str]] = []
        self.bugs: list[str] = []
        self.hub = getcurrent()
        self.runnable: list[Process | Thread] = []
        self.over = False
        self.processes: list[Process] = []
        self.building: Process | None = None
        self._timers: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = count()
        self._ids = count(1)

    def clock(self) -> datetime:
        """Return the present of this world."""
        return EPOCH + timedelta(seconds=self.now)

    def new_id(self) -> str:
        """Return an id shaped like a UUIDv7, the next one."""
        return f"01990000-0000-7000-8000-{next(self._ids):012x}"

    def process(self, name: str) -> "Process":
        """Begin a process."""
        return Process(self, name)  # type: ignore[abstract]  # what asyncio asks of an event loop here is there

    def note(self, who: str, what: str) -> None:
        """Write a line of the timeline."""
        if not self.over:
            self.timeline.append((self.now, who, what))

    def at(self, when: float, call: Callable[..., None], *arguments: Any) -> None:
        """Call something at a virtual time, outside any process."""
        heapq.heappush(self._timers, (when, next(self._numbers), call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Call something some virtual seconds from now, outside any process."""
        self.at(self.now + seconds, call, *arguments)

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self.random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number of seconds, as chance has it."""
        return low + (high - low) * self.random.random()

    def run(self, until: Callable[[], bool], *, most_steps: int) -> None:
        """Take steps until a condition holds; raise `Stuck` if that takes too many."""
        while not until():
            if self.steps >= most_steps:
                raise Stuck(f"{self.steps} steps and no end at {self.now:.1f} s")
            self.step()

    def end(self) -> None:
        """Throw everything away. What was in mid-step hears of it as when an interpreter ends, and nobody hears what it does then."""
        self.over = True
        self.runnable.clear()
        self._timers.clear()
        for process in self.processes:
            process.throw_away()

    def step(self) -> None:
        """Let whoever is chosen do one thing: a callback of an event loop, or a thread up to its next wait."""
        self.steps += 1
        runnable, timers = self.runnable, self._timers
        if runnable:
            self.now += LONGEST_STEP * self.random.random()
        else:
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            _, _, call, arguments = heapq.heappop(timers)
            call(*arguments)
        if not runnable:
            return
        chosen = int(self.random.random() * len(runnable))
        actor, last = runnable[chosen], runnable.pop()
        if chosen < len(runnable):
            runnable[chosen] = last
        actor.run_once()


class Process(asyncio.AbstractEventLoop):
    """An operating-system process: an event loop and its threads. It can be killed and frozen at any step."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.frozen = False
        self.on_kill: list[Callable[[], None]] = []
        self._ready: deque[Handle] = deque()
        self._listed = False
        self._held: list[Thread] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._threads: list[Thread] = []
        self._pools: dict[Executor, _Pool] = {}
        world.processes.append(self)

    def kill(self) -> None:
        """`kill -9`: nothing of it runs any more, not even its `finally`."""
        self.dead = True
        self._ready.clear()
        for tell in self.on_kill:
            tell()

    def freeze(self) -> None:
        """`SIGSTOP`: nothing of it runs until it is thawed, and it does not know."""
        self.frozen = True

    def thaw(self) -> None:
        """`SIGCONT`: it goes on where it was."""
        self.frozen = False
        held, self._held = self._held, []
        self.world.runnable.extend(held)
        self._list()

    def throw_away(self) -> None:
        """Close what is suspended; production code tidies up in its `finally`, on parts that are dead."""
        self.dead = True
        _set_running_loop(self)
        for task in self._tasks:
            coroutine: Any = task.get_coro()
            for _ in range(MOST_AWAITS if not task.done() else 0):
                with suppress(BaseException):
                    coroutine.close()
                    break
        _set_running_loop(None)
        for thread in self._threads:
            if not thread.dead:
                with suppress(BaseException):
                    thread.throw()
        self._tasks.clear()
        self._threads.clear()
        self._held.clear()
        self._pools.clear()

    def own(self, thread: "Thread") -> None:
        """Keep hold of a thread until the world ends."""
        self._threads.append(thread)

    def run_once(self) -> None:
        """Run one callback."""
        self._listed = False
        if self.dead or self.frozen:
            return
        handle = self._ready.popleft()
        self._list()
        if not handle.cancelled():
            _set_running_loop(self)
            try:
                handle._run()
            finally:
                _set_running_loop(None)

    def hold(self, thread: "Thread") -> None:
        """Keep a thread of a frozen process until it is thawed."""
        self._held.append(thread)

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Let a coroutine run in this process. Nobody waits for it: what it raises is a bug."""
        task = self.create_task(work)
        task.add_done_callback(self._look)
        return task

    def _look(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.world.bugs.append(f"{self.name}: {error!r}")

    def _list(self) -> None:
        if self._ready and not self._listed and not self.frozen and not self.dead:
            self._listed = True
            self.world.runnable.append(self)

    def _push(self, handle: Handle) -> None:
        if not self.dead:
            self._ready.append(handle)
            self._list()

    # What asyncio asks of an event loop.

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Handle:  # type: ignore[override]
        handle = Handle(callback, args, self, context)
        self._push(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        return self.call_at(self.world.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.world.at(when, self._push, handle)
        return handle

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """A cancelled timer is passed over when its time comes."""

    def time(self) -> float:
        return self.world.now

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> "asyncio.Task[Any]":
        task = asyncio.Task(coro, loop=self, name=name or "", context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        future = self.create_future()
        pool = self._pools.get(executor)
        if pool is None:
            pool = self._pools[executor] = _Pool(self, executor._max_workers)
        pool.submit(future, func, args)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead and "exception" in context and "never retrieved" not in context["message"]:
            self.world.bugs.append(f"{self.name}: {context['message']}: {context['exception']!r}")


class Thread(greenlet):  # type: ignore[misc]  # greenlet is untyped
    """A thread: blocking code that gives the others a turn wherever it waits."""

    def __init__(self, process: Process, work: Callable[[], None]) -> None:
        super().__init__(work, process.world.hub)
        self.process = process
        self.world = process.world
        process.own(self)

    def run_once(self) -> None:
        """Run to the next wait."""
        if self.process.frozen:
            self.process.hold(self)
        elif not self.process.dead:
            self.switch()

    def wake(self) -> None:
        """Let it go on; it was blocked."""
        self.world.runnable.append(self)

    def block(self) -> None:
        """Stop here until woken."""
        self.world.hub.switch()

    def pause(self) -> None:
        """Let the others have a turn: a message travels."""
        chance = self.world.random.random()
        if chance < self.world.slow:
            self.world.after(self.world.between(0.01, 2.0), self.wake)
        elif chance > 1.0 - self.world.haste:
            return  # nobody is faster this time
        else:
            self.world.runnable.append(self)
        self.world.hub.switch()


def here() -> Thread:
    """Return the thread that runs."""
    thread = getcurrent()
    assert isinstance(thread, Thread), "blocking work outside a thread"
    return thread


class _Pool:
    """The threads of one executor: so many at once, the others queue."""

    def __init__(self, process: Process, size: int) -> None:
        self._process = process
        self._free = size
        self._queue: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()

    def submit(self, future: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._queue.append((future, func, args))
        if self._free:
            self._free -= 1
            Thread(self._process, self._work).wake()

    def _work(self) -> None:
        while self._queue:
            future, func, args = self._queue.popleft()
            try:
                result = func(*args)
            except GreenletExit:
                return
            except BaseException as error:  # noqa: BLE001 - as an executor does
                self._process.call_soon(_fail, future, error)
            else:
                self._process.call_soon(_answer, future, result)
        self._free += 1


def _answer(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
