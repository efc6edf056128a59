"""How far something is that takes a while, on stderr: bars for people, a line of JSON every second for programs."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tillstream import console

T = TypeVar("T")
Tell = Callable[[str, int, int | None], None]
"""Told what is done, how much of it is, and how much there is, where that is known."""

_EVERY_SECONDS = 1.0
_EVERY_ITEMS = 500


@contextmanager
def progress(*, as_json: bool) -> Iterator[Tell]:
    """Show how far each thing is that is told of, from any thread."""
    if as_json:
        yield _Lines().tell
        return
    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bars = _Bars(Progress(*columns, console=console.err))
    try:
        yield bars.tell
    finally:
        bars.stop()


def counted(items: Iterable[T], tell: Callable[[int, int | None], None], total: int | None = None) -> Iterator[T]:
    """Hand on what there is, and tell now and then how much of it was."""
    number = 0
    for number, item in enumerate(items, 1):
        yield item
        if number % _EVERY_ITEMS == 0:
            tell(number, total)
    tell(number, total)


def relaying(what: str, tell: Tell) -> Callable[[str], None]:
    """Return what is to be done with each line that a service's own command writes to stderr: how far it is, or what it has to say."""

    def line(text: str) -> None:
        try:
            told = json.loads(text)
            tell(what, told["read"], told["total"])
        except (ValueError, LookupError, TypeError):
            console.say(text.rstrip())

    return line


class _Rate(ProgressColumn):
    """So many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def tell(self, what: str, done: int, total: int | None) -> None:
        with self._lock:
            if not self._tasks:
                self._bars.start()
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)

    def stop(self) -> None:
        """Leave the bars as they are; where nothing was told, nothing was shown."""
        if self._tasks:
            self._bars.stop()


class _Lines:
    def __init__(self) -> None:
        self._started: dict[str, tuple[float, int]] = {}
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def tell(self, what: str, done: int, total: int | None) -> None:
        with self._lock:
            now = time.monotonic()
            started, before = self._started.setdefault(what, (now, done))
            if now - self._told.get(what, started) < _EVERY_SECONDS and done != total:
                return
            self._told[what] = now
            rate = round((done - before) / (now - started)) if now > started else None
            left = round((total - done) / rate, 1) if rate and total is not None else None
            line = {"progress": what, "done": done, "total": total, "per_second": rate, "seconds_left": left}
            sys.stderr.write(json.dumps(line) + "\n")
