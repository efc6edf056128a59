import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from till_platform.local.files import write_atomically

LOG_KEPT_BYTES = 20_000_000


class RecordedProcess:
    """One operating-system process whose pid and start time are written down, so that whoever comes later can find and stop it.

    The pid alone would not do: the system gives it to another program sooner or later. The process leads a session of its own and
    writes straight to its log file, so it survives its parent's death without noticing.
    """

    def __init__(self, name: str, data_dir: Path) -> None:
        self.name = name
        self.log = data_dir / "logs" / f"{name}.log"
        self._record = data_dir / "run" / f"{name}.json"
        self._popen: subprocess.Popen[bytes] | None = None
        self._process: psutil.Process | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        if self._popen is not None:
            return self._popen.poll() is None
        return self._process is not None and is_alive(self._process)

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, and when it was somebody else's child."""
        return self._popen.poll() if self._popen is not None else None

    def spawn(self, command: Sequence[str], environment: Mapping[str, str] | None, cwd: Path | None = None) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._popen = subprocess.Popen(  # noqa: S603 -- the command is built here from installed packages
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(self._popen.pid)
            record = {"pid": self._process.pid, "created": self._process.create_time()}
            write_atomically(self._record, json.dumps(record))

    def find_leftover(self) -> bool:
        """Take over the process an earlier owner started and did not stop; False when there is none."""
        if self.running:
            return True
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            record = json.loads(self._record.read_text())
            process = psutil.Process(record["pid"])
            if abs(process.create_time() - record["created"]) < 1 and is_alive(process):
                self._popen, self._process = None, process
                return True
        return False

    def stop(self, with_signal: signal.Signals, patience_seconds: float) -> None:
        """Asked to end, and killed with everything it started when it does not within the time given."""
        if not self.running or self._process is None:
            self._forget()
            return
        family = self._family()
        for process in family:
            _send(process, signal.SIGCONT)
        _send(self._process, with_signal)
        if not self._wait(patience_seconds):
            _kill_all(family)
            self._wait(10)
        _kill_all(process for process in family if is_alive(process))
        self._forget()

    def kill(self) -> None:
        """Gone at once, with everything it started, as after a power cut."""
        if self.running and self._process is not None:
            _kill_all(self._family())
            self._wait(10)

    def freeze(self) -> None:
        """Stands still while its connections stay open, as in a long pause of the machine; when this returns, every thread of it does."""
        family = self._family()
        for process in family:
            _send(process, signal.SIGSTOP)
        # The signal is on its way when it is sent: a thread that has a core goes on with what it does, e.g. answers a client.
        deadline = time.monotonic() + 10
        while not all(map(_stands_still, family)) and time.monotonic() < deadline:
            time.sleep(0.001)

    def thaw(self) -> None:
        for process in self._family():
            _send(process, signal.SIGCONT)

    def resident_bytes(self) -> int:
        """Memory of the process and its children. Shared pages count once: proportional share where the system tells it."""
        total = 0
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.rss)
        return total

    def listens_on(self, port: int) -> bool:
        """It, or one of its children, takes connections there. True where the system does not tell us."""
        for process in self._family():
            try:
                sockets = process.net_connections("tcp")
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied:
                return True
            if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets):
                return True
        return False

    def log_since_start(self) -> list[str]:
        """What it has written since it was last started, at most the last 64 KiB."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(self._log_start if self._log_start <= size else 0, size - 65_536))
            return file.read().decode(errors="replace").splitlines()
        return []

    def _family(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._process, *self._process.children(recursive=True)]
        return []

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _forget(self) -> None:
        self._record.unlink(missing_ok=True)


def is_alive(process: psutil.Process) -> bool:
    """Running, and not merely waiting for its parent to notice that it is dead."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _stands_still(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        if not psutil.LINUX:  # elsewhere a thread has no state of its own to ask for
            return process.status() == psutil.STATUS_STOPPED
        return all(psutil.Process(thread.id).status() == psutil.STATUS_STOPPED for thread in process.threads())
    return not is_alive(process)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _kill_all(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        _send(process, signal.SIGKILL)
