"""A contender of B4 and its kin: a process that keeps two tables, started, watched and stopped from outside, the same for all."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from contest import Sample, Wrong
from payments import PARTITIONS, TABLES, Oracle, Topic
from psycopg import sql

from till_platform.testing.infra import Infra

HERE = Path(__file__).parent
LOOK_SECONDS = 0.05
STANDSTILL_SECONDS = 60
"""Who does nothing for so long will not end."""


@dataclass(frozen=True)
class Program:
    """How a contender is started. Its address of the database, topic and group come by the environment: `job`."""

    command: Sequence[str | Path]
    mode: str = ""
    balances: str = "balances"
    orders: str = "orders"
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, job: Mapping[str, str]) -> None:
        """Create the tables."""
        with psycopg.connect(job["PG"], autocommit=True) as connection:
            for table in TABLES:
                for statement in table.ddl():
                    connection.execute(statement)

    def start(self, job: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
        """Start one process."""
        environment = {**os.environ, **job, "MODE": self.mode, **self.environment}
        command = list(map(str, self.command))
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


@dataclass(frozen=True)
class OurProgram(Program):
    """The real worker, which makes its own tables."""

    command: Sequence[str | Path] = (sys.executable, HERE / "projector.py")
    balances: str = "balances.balances"
    orders: str = "last_payments.orders"

    def prepare(self, job: Mapping[str, str]) -> None:
        command, environment = self.how(job, "migrate")
        made = subprocess.run(command, env=environment, capture_output=True, check=False)
        if made.returncode:
            raise RuntimeError(made.stderr.decode()[-2_000:])

    def start(self, job: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
        command, environment = self.how(job, "worker")
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def how(self, job: Mapping[str, str], what: str) -> tuple[list[str], dict[str, str]]:
        """Return the command that does `what` of the service's own, and its environment."""
        return [*map(str, self.command), job["GROUP"], what], self._environment(job)

    def _environment(self, job: Mapping[str, str]) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("TILL_")},
            "TILL_ENVIRONMENT": "local",
            "TILL_PG": job["PG"],
            "TILL_KAFKA": job["KAFKA"],
            "TILL_REDIS": job["REDIS"],
            "TILL_NAMESPACE": job["NAMESPACE"],
            "TILL_PARTITIONS": str(PARTITIONS),
            "TILL_PORT": "0",
            "TILL_AUTH_ISSUER": "nobody",
            "TILL_AUTH_AUDIENCE": "nobody",
            "TILL_AUTH_JWKS_URL": "http://127.0.0.1:1/nobody",
            "TILL_LOG_LEVEL": "WARNING",
            **self.environment,
        }


class Run:
    """One contender at work on one topic, with tables and a group of its own."""

    def __init__(self, infra: Infra, topic: Topic, program: Program, folder: Path) -> None:
        self.program = program
        self.folder = folder
        group = f"g{uuid4().hex[:10]}"
        self.job = {
            "PG": infra.database(f"race_{group}"),
            "KAFKA": infra.kafka,
            "REDIS": infra.redis,
            "TOPIC": topic.name,
            "NAMESPACE": topic.namespace,
            "GROUP": group,
            "FOLDER": str(folder),
            "PARTITIONS": str(PARTITIONS),
        }
        self._log = (folder / "log").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []
        program.prepare(self.job)
        self.connection = psycopg.connect(self.job["PG"], autocommit=True)

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more process of the contender."""
        self.processes.append(self.program.start(self.job, self._log.fileno()))
        return self.processes[-1]

    def payments(self) -> int:
        """How many payments are in the balances: what every look of the watcher asks."""
        (found,) = self.connection.execute(
            f"SELECT coalesce(sum(payments), 0)::bigint FROM {self.program.balances}"
        ).fetchone() or (0,)
        return int(found)

    def paid_minor(self) -> int:
        """What has been paid for all orders, as their last payments say."""
        (found,) = self.connection.execute(
            f"SELECT coalesce(sum(paid_minor), 0)::bigint FROM {self.program.orders}"
        ).fetchone() or (0,)
        return int(found)

    def cpu_seconds(self) -> float:
        """User and system time of the contender's processes and their children until now."""
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def log_text(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-1_500:]

    def must_live(self) -> None:
        """Raise if a process has ended by itself."""
        for process in self.processes:
            if process.poll() is not None:
                raise RuntimeError(f"ended with {process.returncode}: {self.log_text()}")

    def catch_up(self, oracle: Oracle) -> Sample:
        """Watch until everything is in both tables; compare them with the oracle."""
        self.start()
        watch = Watch(self)
        while watch.seen < oracle.payments or self.paid_minor() < oracle.paid_minor:
            watch.look()
        sample = watch.sample()
        oracle.check(self.connection, self.program.balances, self.program.orders)
        return sample

    def close(self) -> None:
        """End the processes and forget the database."""
        for process in self.processes:
            end(process)
        self.connection.close()
        self._log.close()


class Watch:
    """Notes when which number of payments was seen."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seen = 0
        self.moved_at = self.started_at = time.perf_counter()
        self.first: tuple[float, int, float] | None = None

    def look(self) -> None:
        """Wait a moment and look again; raise if nothing moves any more."""
        time.sleep(LOOK_SECONDS)
        seen, now = self.run.payments(), time.perf_counter()
        if seen != self.seen:
            self.seen, self.moved_at = seen, now
            self.first = self.first or (now, seen, self.run.cpu_seconds())
            return
        if now - self.moved_at > STANDSTILL_SECONDS:
            raise Wrong(f"stands still at {self.seen} payments: {self.run.log_text()}")
        self.run.must_live()

    def sample(self) -> Sample:
        """What was done from the first sight of rows to this moment."""
        now = time.perf_counter()
        assert self.first is not None
        at, seen, cpu = self.first
        if seen >= self.seen * 0.8:
            raise Wrong(f"{seen} of {self.seen} payments were there at the first sight: too few are left to be timed")
        facts = {"first_sight_seconds": at - self.started_at, "first_sight_payments": seen}
        used = self.run.cpu_seconds() - cpu
        amount = self.seen - seen
        return Sample(amount, now - at, used, {**facts, "cpu_us_per_event": used / amount * 1e6})


@contextmanager
def running(infra: Infra, topic: Topic, program: Program) -> Iterator[Run]:
    """Give a contender what it needs for one run, and clear it away."""
    with tempfile.TemporaryDirectory(prefix="till-race-", ignore_cleanup_errors=True) as folder:
        run = Run(infra, topic, program, Path(folder))
        try:
            yield run
        finally:
            run.close()
            forget(infra, run.job["PG"])


def forget(infra: Infra, address: str) -> None:
    name = str(psycopg.conninfo.conninfo_to_dict(address)["dbname"])
    with psycopg.connect(infra.postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def cpu_seconds(pid: int) -> float:
    total = 0.0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times: Any = process.cpu_times()
            total += times.user + times.system
    return total


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children as a power cut would."""
    for member in family(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a process end in order; kill it if it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            kill(process)
