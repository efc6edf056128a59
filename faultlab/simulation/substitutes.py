"""What production code reaches for by itself, put in the place of the real thing while a world runs: threads, clocks, ids, log lines.

Nothing else is replaced: what is handed in (connections, Kafka's clients, clocks) is handed in here too.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

from faultlab.simulation.world import Process, Thread, World, here
from till_platform import context
from till_platform.effects import sender
from till_platform.eventstore import append, at_once, commit_lanes, commit_thread, jobs
from till_platform.relay import relay
from till_platform.worker import loop

IDLE_SECONDS = 5.0
LEASE = timedelta(seconds=6)


class Condition:
    """A condition between threads of which one runs at a time."""

    def __init__(self) -> None:
        self._waiting: deque[Thread] = deque()

    def __enter__(self) -> None:
        """Nobody else runs."""

    def __exit__(self, *_: object) -> None:
        """Nobody else ran."""

    def wait(self) -> None:
        thread = here()
        self._waiting.append(thread)
        thread.block()

    def notify(self) -> None:
        if self._waiting:
            self._waiting.popleft().wake()


class _LogLines:
    """Takes log lines into the timeline."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def __getattr__(self, level: str) -> Callable[..., None]:
        def write(event: str, **facts: Any) -> None:
            told = " ".join(f"{name}={facts[name]}" for name in facts if name != "exc_info")
            self._world.note(self._name, f"{level}: {event} {told}")

        return write


@contextmanager
def substituted(world: World) -> Iterator[None]:
    """Let production code run in this world."""

    def start_thread(target: Callable[[], None], **_: Any) -> Any:
        assert world.building is not None
        process: Process = world.building
        return SimpleNamespace(start=lambda: Thread(process, target).wake())

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:  # noqa: ARG003 - all times of ours are UTC
            return world.clock()

    monotonic = SimpleNamespace(monotonic=lambda: world.now)
    ticks = lambda: world.now  # noqa: E731 - a clock
    replaced: list[tuple[Any, str, Any]] = [
        (commit_thread, "threading", SimpleNamespace(Thread=start_thread, Condition=Condition)),
        (commit_thread, "perf_counter", ticks),
        (append, "datetime", Datetime),
        (at_once, "datetime", Datetime),
        (append, "uuid7", world.new_id),
        (context, "new_id", world.new_id),
        (sender, "new_id", world.new_id),
        (sender, "IDLE_SECONDS", IDLE_SECONDS),
        (sender, "LEASE", LEASE),
        (relay, "STAND_BY_SECONDS", IDLE_SECONDS),
        (relay, "time", monotonic),
        (loop, "time", monotonic),
        *((module, "_log", _LogLines(world, module.__name__.rsplit(".", 1)[1])) for module in (loop, relay, sender)),
        *((module, "_log", _LogLines(world, "group_commit")) for module in (commit_lanes, commit_thread, jobs)),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    for module, name, value in replaced:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
