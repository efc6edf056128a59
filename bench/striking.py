"""What befalls a contender in `faulted.py`: its processes killed, frozen and joined by others, its events delivered again.

One thread does it all in turn: it lets events happen at their rate, strikes when its script says so, and starts again what ended, as a
supervisor would.
"""

import contextlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
from catching import Run, family, kill

INSTANCES = 2
LOOK_SECONDS = 0.02
STARTED_AGAIN_SECONDS = 1.0
Script = Iterator[float]
"""Strikes between its waits, of so many seconds each."""


@dataclass
class Stage:
    """The processes of one contender under faults. `tell` lets happen what is due; `again` delivers so many events once more."""

    run: Run
    chance: random.Random
    session_seconds: float
    tell: Callable[[], None]
    again: Callable[[int], None]
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Processes that may be struck too, and are started by `start_other`."""
    start_other: Callable[[], subprocess.Popen[bytes]] | None = None
    strikes: int = 0
    ended_by_themselves: int = 0
    _due: list[tuple[float, Callable[[], Any]]] = field(default_factory=list)

    def play(self, script: Script) -> None:
        """Strike as the script says, until it ends; then heal."""
        for seconds in script:
            self.go_on(seconds)
        while self._due:
            self.go_on(LOOK_SECONDS)

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tell()
            self._look_after()
            time.sleep(LOOK_SECONDS)

    def any(self) -> subprocess.Popen[bytes]:
        """Choose a process."""
        return self.chance.choice([*self.run.processes, *self.others])

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """`kill -9`."""
        self.strikes += 1
        kill(process)

    def start_after(self, seconds: float, start: Callable[[], Any]) -> None:
        self._due.append((time.monotonic() + seconds, start))

    def restart(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """Start in a while what takes the place of a process that is gone."""
        if process in self.others:
            self.others.remove(process)
            assert self.start_other is not None
            start = self.start_other
            self.start_after(seconds, lambda: self.others.append(start()))
        elif process in self.run.processes:
            self.run.processes.remove(process)
            self.start_after(seconds, self.run.start)

    def freeze(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """`SIGSTOP`, and `SIGCONT` after a while."""
        self.strikes += 1
        _send(process, signal.SIGSTOP)
        self.start_after(seconds, lambda: _send(process, signal.SIGCONT))

    def _look_after(self) -> None:
        now = time.monotonic()
        for one in [one for one in self._due if one[0] <= now]:
            self._due.remove(one)
            one[1]()
        for process in [one for one in [*self.run.processes, *self.others] if one.poll() is not None]:
            self.ended_by_themselves += 1
            self.restart(process, STARTED_AGAIN_SECONDS)


def kills(stage: Stage) -> Script:
    """F1: any process is killed, and started up to two seconds later."""
    for _ in range(8):
        yield stage.chance.uniform(2, 5)
        process = stage.any()
        stage.kill(process)
        stage.restart(process, stage.chance.uniform(0, 2))
    yield 3.0


def freezes(stage: Stage) -> Script:
    """F5: a process is frozen for longer than its session lasts; whoever is left takes over, and then it wakes up."""
    for _ in range(2 if stage.session_seconds < 30 else 1):
        yield stage.chance.uniform(2, 4)
        process = stage.any()
        alone = process in stage.run.processes and len(stage.run.processes) == 1
        stage.freeze(process, stage.session_seconds + 5)
        if alone:  # who has no group has a supervisor, who takes it for dead
            stage.start_after(stage.session_seconds, stage.run.start)
        yield stage.session_seconds + 8
    yield 3.0


def repeats(stage: Stage) -> Script:
    """F10: the last events are delivered again, up to 2,000 at once, a tenth of all."""
    for _ in range(6):
        yield stage.chance.uniform(3, 5)
        stage.strikes += 1
        stage.again(stage.chance.randrange(1, 2_000))
    yield 3.0


def storm(stage: Stage) -> Script:
    """F14: every five seconds one more instance joins, or one is killed."""
    usual = len(stage.run.processes)
    for _ in range(8):
        yield 5.0
        stage.strikes += 1
        if len(stage.run.processes) > usual:
            process = stage.chance.choice(stage.run.processes)
            kill(process)
            stage.run.processes.remove(process)
        else:
            stage.run.start()
    yield 3.0


FAULTS: dict[str, Callable[[Stage], Script]] = {"F1": kills, "F5": freezes, "F10": repeats, "F14": storm}


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    for member in family(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(number)
