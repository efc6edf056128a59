import re
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from till_platform.local.problem import LocalProblem
from till_platform.local.process import RecordedProcess

# The first of these found in a log, read from its end, is taken for the cause; what to do stands beside it.
CAUSES = [
    (
        re.compile(r"No space left on device|not enough space on the disk|Disk quota exceeded", re.IGNORECASE),
        "free some disk space",
    ),
    (
        re.compile(r"Address already in use|Failed to bind", re.IGNORECASE),
        "stop the other program on its port or give it another port",
    ),
    (
        re.compile(r"OutOfMemory|Cannot allocate memory|could not map|insufficient memory", re.IGNORECASE),
        "free some memory",
    ),
    (re.compile(r"\b(FATAL|PANIC|ERROR|Exception|Error)\b"), "read the log named here"),
]


class Part(ABC):
    """One process of the local stack: how it is prepared and started, when it is ready, how it is stopped."""

    stop_signal = signal.SIGTERM
    start_patience_seconds = 120.0
    stop_patience_seconds = 30.0

    def __init__(self, name: str, data_dir: Path) -> None:
        self.name = name
        self.data_dir = data_dir.absolute()
        self.process = RecordedProcess(name, self.data_dir)
        self._given_up = threading.Event()

    @property
    @abstractmethod
    def address(self) -> str:
        """Where others reach it, without any password."""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def is_ready(self) -> bool:
        """It answers, asked as a client would ask."""

    def environment(self) -> Mapping[str, str] | None:
        """None: the environment of whoever starts it."""
        return None

    def prepare(self) -> None:  # noqa: B027 -- most parts have nothing to prepare
        """What has to be on disk before the first start; does nothing the second time."""

    @property
    def running(self) -> bool:
        return self.process.running

    @property
    def pid(self) -> int | None:
        return self.process.pid

    def start(self) -> None:
        """Started and ready, with whatever an earlier, killed owner left behind stopped first.

        Raises LocalProblem naming the cause its log gives; nothing is left running then.
        """
        if self.process.find_leftover():
            self.stop()
        self._given_up.clear()
        try:
            self.prepare()
            self.process.spawn(self.command(), self.environment(), self.data_dir)
        except OSError as error:
            self.process.kill()
            raise self._failure("cannot be started", [str(error)]) from error
        try:
            self._await_ready()
        except BaseException:
            self.process.kill()
            raise

    def attach(self) -> bool:
        """Use the process that an earlier owner left running, if it is there and answers."""
        return self.process.find_leftover() and self.is_ready()

    def stop(self) -> None:
        """Asked to end and waited for. A start under way in another thread is given up."""
        self._given_up.set()
        self.process.stop(self.stop_signal, self.stop_patience_seconds)

    def kill(self) -> None:
        self.process.kill()

    def freeze(self) -> None:
        self.process.freeze()

    def thaw(self) -> None:
        self.process.thaw()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.start_patience_seconds
        while not (self.is_ready() and self._answers_itself()):
            if not self.running:
                raise self._failure(f"ended right after its start (exit code {self.process.exit_code})")
            if self._given_up.is_set():
                raise self._failure("was stopped while it started")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {self.start_patience_seconds:.0f} seconds")
            time.sleep(0.05)

    def _answers_itself(self) -> bool:
        """Whoever answers is this very process, and not one of another stack that was faster on its port."""
        port = urlsplit(self.address if "://" in self.address else f"//{self.address}").port
        return port is None or self.process.listens_on(port)

    def _failure(self, what: str, said: Sequence[str] | None = None) -> LocalProblem:
        line, remedy = find_cause(self.process.log_since_start() if said is None else said)
        return LocalProblem(f"{self.name} {what}{f': {line}' if line else ''}", f"{remedy} ({self.process.log})")


def find_cause(log: Sequence[str]) -> tuple[str, str]:
    """The line of a log that says best why a program ended, and what to do about it."""
    for pattern, remedy in CAUSES:
        for line in reversed(log):
            if pattern.search(line):
                return line.strip()[:300], remedy
    last = next((line.strip()[:300] for line in reversed(log) if line.strip()), "")
    return last, "read the log named here"
