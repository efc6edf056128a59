import errno
import hashlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from till_platform.local.problem import LocalProblem

LIST = "kafka-4.3.0.jars"
AT_ONCE = 8
ATTEMPTS = 3
PAUSE_SECONDS = 1.0
ABANDONED_AFTER_SECONDS = 3600

OnProgress = Callable[[int, int], None]
"""Told how many bytes of how many are here; called from several threads, one at a time."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of a Java program, known by its Maven coordinate and by the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


class Source(Protocol):
    """Where jars come from: puts one under `into`, tells `received` of each chunk's bytes, and answers its path."""

    def __call__(self, jar: Jar, into: Path, received: Callable[[int], None]) -> Path: ...


def kafka_jars() -> list[Jar]:
    """The jars of the one Kafka version this release runs on, as kept in the repository."""
    jars = []
    for line in files(__package__).joinpath(LIST).read_text().splitlines():
        if line and not line.startswith("#"):
            coordinate, sha256, size = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, sha256, int(size)))
    return jars


def from_maven_central(jar: Jar, into: Path, received: Callable[[int], None]) -> Path:
    """One jar by its coordinate. The version tree is not resolved: the list is exact, and the resolver would pick other versions."""
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def progress(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield received

    context = MavenContext(PythonResolver(progress_callback=progress), repo_cache=into, timeout=60)
    return context.project(jar.group, jar.artifact).at_version(jar.version).artifact(packaging="jar").resolve()


def ensure(
    jars: Iterable[Jar], cache: Path, on_progress: OnProgress | None = None, source: Source = from_maven_central
) -> list[Path]:
    """Every jar is in the cache with the right bytes, or nothing runs.

    A file is written elsewhere and renamed into place once its hash is right, so a download that was cut off leaves nothing
    that looks whole. A cached file with other bytes is thrown away and fetched again.

    Raises LocalProblem if a jar cannot be fetched, or what is served under its name is not what this release was built with.
    """
    jars = list(jars)
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    missing = [jar for jar in jars if not _is_whole(cache / jar.filename, jar)]
    if missing:
        _fetch(missing, cache, _Tally(sum(jar.size for jar in missing), on_progress), source)
    return [cache / jar.filename for jar in jars]


class _Tally:
    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self._lock = threading.Lock()
        self._done = 0
        self._total = total
        self._on_progress = on_progress or (lambda _done, _total: None)
        self.given_up = False

    def add(self, size: int) -> None:
        if self.given_up:
            raise InterruptedError("the download was given up")
        with self._lock:
            self._done += size
            self._on_progress(self._done, self._total)


def _fetch(jars: list[Jar], cache: Path, tally: _Tally, source: Source) -> None:
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as partial, ThreadPoolExecutor(AT_ONCE) as pool:
        downloads = [
            pool.submit(_fetch_one, jar, cache, Path(partial) / str(n), tally, source) for n, jar in enumerate(jars)
        ]
        try:
            for download in downloads:
                download.result()
        except BaseException:
            tally.given_up = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(jar: Jar, cache: Path, partial: Path, tally: _Tally, source: Source) -> None:
    received = 0

    def count(size: int) -> None:
        nonlocal received
        received += size
        tally.add(size)

    for attempt in range(1, ATTEMPTS + 1):
        folder = partial / str(attempt)
        folder.mkdir(parents=True)
        try:
            fetched = source(jar, folder, count)
            break
        except Exception as error:
            full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
            if full or attempt == ATTEMPTS or tally.given_up:
                raise LocalProblem(
                    f"{jar.filename} could not be downloaded ({_one_line(error)})",
                    f"free some space in {cache}, or name another folder: TILL_JAR_CACHE"
                    if full
                    else "check the connection and run the same command again; what is already here is kept",
                ) from error
            tally.add(-received)
            received = 0
            time.sleep(PAUSE_SECONDS * attempt)
    found = _sha256(fetched)
    if found != jar.sha256:
        raise LocalProblem(
            f"{jar.filename} was refused: its SHA-256 is {found[:16]}…, this release was built with {jar.sha256[:16]}…",
            "do not go on; find out who changed the file between Maven Central and this machine",
        )
    fetched.replace(cache / jar.filename)


def _is_whole(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(cache: Path) -> None:
    """What killed downloads left behind; a download under way in another process is younger and stays."""
    for folder in cache.glob(".partial-*"):
        if folder.stat().st_mtime < time.time() - ABANDONED_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
