import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from till_platform.local import LocalProblem
from till_platform.local.part import Part

LOOKS_EVERY_SECONDS = 0.3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_AFTER_SECONDS = 60.0

Say = Callable[[str], None]


class Supervisor:
    """Starts processes in order, starts those again that die, and stops all in the opposite order.

    Groups are started one after the other, the parts within a group together; `before_last` runs when all groups but the last are up.
    What happens is said through `say`; `changed` is called whenever a part came up, died or was stopped.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Part]],
        *,
        say: Say,
        changed: Callable[[], None],
        before_last: Callable[[], None],
    ) -> None:
        self._groups = groups
        self._say = say
        self._changed = changed
        self._before_last = before_last
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="supervisor")
        self._starting: dict[Part, asyncio.Future[None]] = {}
        self.healthy: set[Part] = set()
        self.restarts: dict[Part, int] = {part: 0 for group in groups for part in group}

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Until this task is cancelled, then everything is stopped.

        Raises LocalProblem when something does not come up in the first place; what had come up is stopped first.
        """
        try:
            for group in self._groups:
                if group is self._groups[-1]:
                    await self.in_thread(self._before_last)
                await together(self._start(part) for part in group)
            on_ready()
            await asyncio.gather(*(self._keep_running(part) for part in self.restarts))
        finally:
            await asyncio.shield(self._stop_all())

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _start(self, part: Part) -> None:
        began = time.monotonic()
        starting = self._starting[part] = asyncio.get_running_loop().run_in_executor(self._threads, part.start)
        try:
            await asyncio.shield(starting)
        finally:
            if starting.done():  # otherwise this task was cancelled, and `_stop` waits for the thread
                del self._starting[part]
        self.healthy.add(part)
        self._say(f"{part.name} is up after {time.monotonic() - began:.1f} s")
        self._changed()

    async def _keep_running(self, part: Part) -> None:
        pause, up_since = FIRST_PAUSE_SECONDS, time.monotonic()
        while True:
            await asyncio.sleep(LOOKS_EVERY_SECONDS)
            if part.running:
                continue
            if time.monotonic() - up_since > STEADY_AFTER_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self.healthy.discard(part)
            self.restarts[part] += 1
            self._say(
                f"{part.name} DIED {_how(part)}; it is started again in {pause:g} s (restart {self.restarts[part]})"
            )
            self._changed()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            try:
                await self._start(part)
            except LocalProblem as problem:
                self._say(str(problem))
            up_since = time.monotonic()

    async def _stop_all(self) -> None:
        for group in reversed(self._groups):
            await together(self._stop(part) for part in group)
        self._threads.shutdown()

    async def _stop(self, part: Part) -> None:
        was_running = part.running
        await self.in_thread(part.stop)
        if starting := self._starting.pop(part, None):
            await asyncio.wait([starting])
            starting.exception()  # why it did not come up matters no longer
            await self.in_thread(part.stop)
        self.healthy.discard(part)
        if was_running:
            self._say(f"{part.name} is stopped")
        self._changed()


async def together(work: Any) -> None:
    """All at once and each to its end; then the first failure, if any, is raised."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C, a terminal that goes away, or `till down` cancel the work, which then stops everything in order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def _how(part: Part) -> str:
    code = part.process.exit_code
    if code is None:
        return "unseen"
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
