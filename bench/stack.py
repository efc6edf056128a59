"""A stack of its own for a benchmark, and what its processes cost."""

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tillstream import console
from tillstream.attached import Attached
from tillstream.local import control
from tillstream.local.directory import DataDirectory


@contextmanager
def fresh_stack() -> Iterator[Attached]:
    """Start everything in an empty directory; stop it and forget it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="till-bench-"))
    directory = DataDirectory(folder / "data")
    try:
        control.start_detached(directory, say=console.say)
        yield Attached(directory.path)
    finally:
        control.stop(directory, console.say)
        shutil.rmtree(folder, ignore_errors=True)


class Costs:
    """CPU seconds and peak resident memory (MB, proportional shares) of each part, children included, sampled twice a second."""

    def __init__(self, attached: Attached) -> None:
        self._pids = {name: state.pid for name, state in attached.state.processes.items() if state.pid}
        self._before = {name: _cpu(pid) for name, pid in self._pids.items()}
        self.cpu_seconds: dict[str, float] = {}
        self.peak_mb: dict[str, float] = dict.fromkeys(self._pids, 0.0)
        self.peak_services_mb = 0.0
        self._services = set(attached.services)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def end(self) -> "Costs":
        """Stop sampling and settle the CPU seconds."""
        self._stop.set()
        self._thread.join()
        self.cpu_seconds = {name: round(_cpu(pid) - self._before[name], 1) for name, pid in self._pids.items()}
        return self

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            now = {name: _memory(pid) for name, pid in self._pids.items()}
            for name, size in now.items():
                self.peak_mb[name] = max(self.peak_mb[name], size)
            self.peak_services_mb = max(self.peak_services_mb, sum(now[name] for name in self._services))


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "load_before": psutil.getloadavg()[0],
        "revision": revision.stdout.strip(),
        "fdatasync_us": fdatasync_us(),
    }


def fdatasync_us(writes: int = 200) -> int:
    """Return the median time the disk takes to make 8 KiB safe: absolute figures mean nothing without it."""
    import os

    times = []
    with tempfile.NamedTemporaryFile(dir=".") as file:
        for _ in range(writes):
            file.seek(0)
            file.write(b"x" * 8192)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return round(sorted(times)[writes // 2] * 1e6)


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu(pid: int) -> float:
    total = 0.0
    for process in _family(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory(pid: int) -> float:
    """Return what a part keeps in memory; pages that its processes share count once."""
    total = 0
    for process in _family(pid):
        try:
            memory = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += getattr(memory, "pss", memory.rss)
    return round(total / 1e6, 1)
