import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGTERM

import psutil

from till_platform.local import LocalProblem, LocalStack
from till_platform.local.process import RecordedProcess
from till_platform.local.settings import LocalSettings
from tillstream.local.audit_key import ensure_audit_key
from tillstream.local.catchers import Catchers
from tillstream.local.directory import DataDirectory
from tillstream.local.doors import Doors
from tillstream.local.issuer import AUDIENCE, ISSUER, Issuer
from tillstream.local.services import ServiceProcess, installed_services
from tillstream.local.state import Phase, ProcessState, StackState
from tillstream.local.supervisor import Say, Supervisor

# Tried first, so that addresses look the same on most machines; a taken one is replaced by any free port.
PREFERRED_PORTS = {
    "postgres": 15432,
    "valkey": 16379,
    "kafka": 19092,
    "kafka-controller": 19093,
    "smtp": 11025,
    "sms": 18025,
}
FIRST_API_PORT = 18081
FIRST_WORKER_PORT = 18091
STOPPED_LAST = ("kafka", "valkey", "postgres")


def port_names() -> list[str]:
    """What `--port NAME=NUMBER` may name."""
    services = installed_services()
    return [*PREFERRED_PORTS, *services, *(f"{name}-worker" for name in services)]


class LocalRun:
    """One run of a whole local Tillstream: builds the parts, gives each service its environment, keeps the state file true."""

    def __init__(
        self,
        data_dir: DataDirectory,
        *,
        only: Sequence[str],
        ports: Mapping[str, int],
        environment: Mapping[str, str],
        say: Say,
        programs: Path = Path(sys.executable).parent,
        settings: LocalSettings | None = None,
        secure: bool = False,
    ) -> None:
        names = installed_services()
        preferred = PREFERRED_PORTS | {name: FIRST_API_PORT + number for number, name in enumerate(names)}
        preferred |= {f"{name}-worker": FIRST_WORKER_PORT + number for number, name in enumerate(names)}
        self._data_dir = data_dir
        self._environment = environment
        self._say = say
        self._doors = Doors(data_dir)
        secure = secure or self._doors.closed
        self._stack = LocalStack(data_dir.path, ports, preferred_ports=preferred, settings=settings, secure=secure)
        self._catchers = Catchers(data_dir.path, self._stack.ports)
        self._services = [
            ServiceProcess(name, self._stack.data_dir, self._stack.ports, programs)
            for name in names
            if not only or name in only
        ]
        stack = self._stack
        self._supervisor = Supervisor(
            [[stack.postgres_part], [stack.valkey_part], [stack.kafka_part, self._catchers], self._services],
            say=say,
            changed=self._write_state,
            before_last=self._prepare_services,
        )
        self.came_up = False
        me = psutil.Process(os.getpid())
        self.state = StackState(
            data_dir=self._stack.data_dir,
            phase="starting",
            supervisor_pid=me.pid,
            supervisor_created=me.create_time(),
            partitions=int(environment.get("TILL_PARTITIONS", "6")),
            secure=secure,
        )

    async def run(self) -> None:
        """Until cancelled. Raises LocalProblem when another run owns the directory or something does not come up."""
        with owned(self._data_dir):
            stop_leftovers(self._data_dir, self._say)
            self._enter("starting")
            try:
                self._stack.check_disk()
                self._refuse_half_a_restore()
                await self._supervisor.run(lambda: self._enter("ready"))
            except asyncio.CancelledError:
                self._enter("stopped")
                raise
            except LocalProblem as problem:
                self._enter("failed", problem)
                raise

    def _refuse_half_a_restore(self) -> None:
        if self._data_dir.unfinished_restore.exists():
            raise LocalProblem("a restore was cut off in the middle", "run the same `till restore` again, with --yes")

    def _prepare_services(self) -> None:
        Issuer(self._data_dir.issuer_key, self._data_dir.jwks)
        ensure_audit_key(self._data_dir)
        state = self.state
        state.kafka, state.redis = self._stack.kafka, self._stack.redis
        state.smtp, state.sms_url = self._catchers.smtp, self._catchers.sms_url
        state.postgres_admin = self._stack.postgres_admin_dsn
        if state.secure:
            self._admit_services()
        for service in self._services:
            state.databases[service.name] = self._stack.database(f"till_{service.name}")
            service.addresses = self._environment_of(service.name)
        self._write_state()

    def _admit_services(self) -> None:
        """In a process of its own: it loads every service to see what it reads."""
        told = {**self._doors.of_administrator(), "kafka": self.state.kafka, "partitions": str(self.state.partitions)}
        command = [sys.executable, "-m", "tillstream.main", "access", "services", "--out", str(self._doors.secrets)]
        done = subprocess.run(  # noqa: S603 -- this very program
            command, env={**self._environment, **_variables(told)}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["nothing was said"])[0]
            raise LocalProblem(f"the services could not be let in to Kafka: {last}", "till logs kafka")

    def _environment_of(self, service: str) -> Mapping[str, str]:
        state = self.state
        return {
            "TILL_LOG_FORMAT": "console",  # read by people here, by programs elsewhere
            **self._environment,
            "TILL_PARTITIONS": str(state.partitions),
            "TILL_ENVIRONMENT": "local",
            "TILL_KAFKA": state.kafka,
            "TILL_PG": state.databases[service],
            "TILL_REDIS": state.redis,
            "TILL_AUTH_ISSUER": ISSUER,
            "TILL_AUTH_AUDIENCE": AUDIENCE,
            "TILL_AUTH_JWKS_FILE": str(self._data_dir.jwks.absolute()),
            "TILL_AUDIT_KEY_FILE": str(self._data_dir.audit_key.absolute()),
            "TILL_SMTP": state.smtp,
            "TILL_SMS_URL": state.sms_url,
            **(_variables(self._doors.of_service(service, state.namespace)) if state.secure else {}),
        }

    def _enter(self, phase: Phase, problem: LocalProblem | None = None) -> None:
        self.state.phase = phase
        self.came_up |= phase == "ready"
        self.state.problem, self.state.remedy = (problem.problem, problem.remedy) if problem else (None, None)
        self._write_state()

    def _write_state(self) -> None:
        supervisor = self._supervisor
        self.state.apis = {service.name: service.address for service in self._services}
        self.state.workers = {service.name: service.worker_address for service in self._services}
        self.state.processes = {
            part.name: ProcessState(
                name=part.name,
                address=part.address,
                pid=part.pid,
                healthy=part in supervisor.healthy,
                restarts=supervisor.restarts[part],
            )
            for part in supervisor.restarts
        }
        try:
            self.state.write(self._data_dir)
        except OSError as error:  # a full disk must not keep anything from being stopped or started again
            self._say(f"the state could not be written: {error.strerror}")


def _variables(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"TILL_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def owned(data_dir: DataDirectory) -> Iterator[None]:
    """Only one run at a time may own a data directory; the system itself drops the lock of a killed owner."""
    data_dir.run.mkdir(parents=True, exist_ok=True)
    with data_dir.owner_lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalProblem(
                f"Tillstream is already running from {data_dir.path}", "use it, or stop it with `till down`"
            ) from error
        yield


def stop_leftovers(data_dir: DataDirectory, say: Say) -> int:
    """Whatever a killed supervisor left running is stopped in order: services first, PostgreSQL last. Their number is answered."""
    recorded = sorted(file.stem for file in data_dir.run.glob("*.json") if file != data_dir.state_file)
    stopped = 0
    for name in sorted(recorded, key=lambda name: STOPPED_LAST.index(name) if name in STOPPED_LAST else -1):
        process = RecordedProcess(name, data_dir.path)
        if process.find_leftover():
            say(f"{name} was left running by a killed `till up`; it is stopped")
            process.stop(SIGINT if name == "postgres" else SIGTERM, patience_seconds=30)
            stopped += 1
    return stopped
