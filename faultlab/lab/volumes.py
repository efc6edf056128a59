"""Small disks of their own for PostgreSQL, Kafka and what instances log, so that one can be full (F9)."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

MEGABYTES = {"postgres": 3_000, "kafka": 1_500, "logs": 200}
"""Enough for a run, and of a machine's memory no more than is written. PostgreSQL keeps up to 2 GB of its journal."""


class Volume:
    """A directory that is a small disk if it may be mounted, and else like any other."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.mounted = False
        self._filler = path / "filler"
        path.mkdir(parents=True, exist_ok=True)

    def mount(self) -> None:
        """Make it a disk; raises CalledProcessError where that is not allowed."""
        _run("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES[self.name]}m,mode=755", "tillstream", str(self.path))
        self.mounted = True

    def unmount(self) -> None:
        """Let it go, and keep of it only what was logged."""
        if not self.mounted:
            return
        kept = {file: file.read_bytes() for file in self.path.rglob("*.log") if file.is_file()}
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "--lazy", str(self.path))
        self.mounted = False
        for file, content in kept.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def fill(self) -> None:
        """Leave not one byte."""
        there = os.statvfs(self.path)
        with self._filler.open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, there.f_bavail * there.f_frsize))

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)


def may_mount() -> bool:
    """Whether this machine lets us have small disks."""
    if os.name != "posix" or os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="till-volume-") as directory:
        volume = Volume("logs", Path(directory))
        try:
            volume.mount()
        except (OSError, subprocess.CalledProcessError):
            return False
        volume.unmount()
    return True


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - nobody else says what is run here
