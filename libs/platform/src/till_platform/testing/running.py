"""Services run as in production, as processes of their own, to be called, killed, frozen and started again by a test."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2
import psutil
import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey

from till_platform.testing.infra import Infra

T = TypeVar("T")
ISSUER = "tillstream-test"
AUDIENCE = "tillstream"


def eventually(check: Callable[[], T], *, within: float = 30.0, every: float = 0.05) -> T:
    """Ask until the answer is true and return it; fail with the last answer, or the last error, when time is up."""
    deadline = time.monotonic() + within
    while True:
        try:
            answer = check()
        except (AssertionError, httpx2.HTTPError, psycopg.Error, OSError, KeyError, LookupError) as error:
            last: object = error
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last: {last!r}")
        time.sleep(every)


class Issuer:
    """Signs tokens that the services under test trust."""

    def __init__(self, directory: Path) -> None:
        self._key = ECKey.generate_key("P-256", parameters={"kid": "test", "use": "sig", "alg": "ES256"})
        self.jwks_file = directory / "jwks.json"
        self.jwks_file.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def token(self, *roles: str, stores: list[str] | str = "*", subject: str = "test") -> str:
        """Return a token good for an hour."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600, "jti": str(now)}
        return jwt.encode(
            {"alg": "ES256", "kid": "test"}, {**claims, "roles": list(roles), "stores": stores}, self._key
        )


class ServiceUnderTest:
    """One service: its database, its processes, and a client that speaks for an administrator."""

    def __init__(self, name: str, infra: Infra, namespace: str, issuer: Issuer, directory: Path, **extra: str) -> None:
        self.name = name
        self.pg = infra.database(name)
        self.issuer = issuer
        self._directory = directory
        self._port = _free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._families: dict[str, list[psutil.Process]] = {}
        self._migrated = False
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TILL_")},
            "TILL_ENVIRONMENT": "local",
            "TILL_PG": self.pg,
            "TILL_KAFKA": infra.kafka,
            "TILL_REDIS": infra.redis,
            "TILL_NAMESPACE": namespace,
            "TILL_PARTITIONS": "6",
            "TILL_AUTH_ISSUER": ISSUER,
            "TILL_AUTH_AUDIENCE": AUDIENCE,
            "TILL_AUTH_JWKS_FILE": str(issuer.jwks_file),
            "TILL_LOG_LEVEL": "INFO",
            **extra,
        }
        self._clients: dict[str, httpx2.Client] = {}

    def migrate(self) -> Self:
        """Create what the service needs, unless that is done. Starting everything does so too, at the price of one process less."""
        if not self._migrated:
            subprocess.run(
                self._command("migrate"), env=self._environment, check=True, capture_output=True, timeout=120
            )
            self._migrated = True
        return self

    def start(self, role: str = "all", *, instance: str = "", wait: bool = True, **extra: str) -> Self:
        """Start a process of the service. A second `instance` of a role gets a port of its own."""
        label = role + instance
        migrating = ["--migrate"] if role == "all" and not self._migrated else []
        if not migrating:
            self.migrate()
        self._migrated = True
        port = self._port if not instance and role in {"all", "api"} else _free_port()
        environment = {**self._environment, "TILL_PORT": str(port), **extra}
        log = (self._directory / f"{self.name}-{label}.log").open("ab")
        self._processes[label] = subprocess.Popen(
            self._command(role, *migrating), env=environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        if wait:
            eventually(lambda: self._is_ready(label, port), within=120)
            self._families[label] = _family(self._processes[label].pid)  # looked up now: a freeze must hit at once
        return self

    def client(self, *roles: str, stores: list[str] | str = "*") -> httpx2.Client:
        """Return a client for the API with a token for these roles, administrator by default."""
        token = self.issuer.token(*(roles or ("admin",)), stores=stores)
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self._port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    def kill(self, label: str = "all") -> None:
        """Kill a process as a power cut would."""
        self.signal(label, signal.SIGKILL)
        self._processes.pop(label).wait()
        self._families.pop(label, None)

    def signal(self, label: str, number: int) -> None:
        """Send a signal to all of it, e.g. SIGSTOP to freeze it and SIGCONT to thaw it."""
        _signal_all(self._families.get(label) or _family(self._processes[label].pid), number)

    def stop(self) -> None:
        """Let all processes end in order."""
        for process in self._processes.values():
            _signal_all(_family(process.pid), signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                _signal_all(_family(process.pid), signal.SIGKILL)
        self._processes.clear()
        self._families.clear()

    def rows(self, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Query the service's database."""
        with psycopg.connect(self.pg, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def verify(self) -> dict[str, bool]:
        """Rebuild every projection beside the live one and say by name whether they are equal."""
        done = subprocess.run(
            self._command("verify"), env=self._environment, check=False, capture_output=True, timeout=300
        )
        found = {one["name"]: one["equal"] for one in map(json.loads, done.stdout.splitlines())}
        assert found, f"{self.name} could not verify: {done.stderr.decode(errors='replace')[-2000:]}"
        return found

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run another command of the service."""
        return subprocess.run(
            self._command(*arguments), env=self._environment, check=False, capture_output=True, timeout=300
        )

    def log_text(self, label: str = "all") -> str:
        """Return what a process has logged."""
        return (self._directory / f"{self.name}-{label}.log").read_text(errors="replace")

    def _is_ready(self, label: str, port: int) -> bool:
        if self._processes[label].poll() is not None:
            raise RuntimeError(f"{self.name} ended instead of getting ready: {self.log_text(label)[-2_000:]}")
        return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", f"from till_{self.name}.main import main; main()", *arguments]


def _family(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started, and itself."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    return []


def _signal_all(family: list[psutil.Process], number: int) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
