import contextlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from till_platform.local import LocalProblem
from till_platform.local.part import Part, find_cause
from till_platform.local.ports import HOST, Ports


def installed_services() -> list[str]:
    """The services on this machine, in alphabetical order; a service that is not installed is not missed."""
    return sorted(point.name for point in entry_points(group="tillstream.services"))


class ServiceProcess(Part):
    """One service with all it does (API, worker, relay) in one process, as a small chain would run it."""

    def __init__(self, name: str, data_dir: Path, ports: Ports, programs: Path) -> None:
        super().__init__(name, data_dir)
        self._ports = ports
        self._program = str(programs / f"till-{name}")
        self.addresses: Mapping[str, str] = {}  # where the service finds the other parts: known once they are up

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._ports[self.name]}"

    def prepare(self) -> None:
        self._ports.claim(self.name)

    def command(self) -> Sequence[str]:
        return [self._program, "all"]

    def environment(self) -> Mapping[str, str]:
        return {**self.addresses, "TILL_HOST": HOST, "TILL_PORT": str(self._ports[self.name])}

    def is_ready(self) -> bool:
        return answers(f"{self.address}/readyz")

    def migrate(self) -> None:
        """Its tables and its topic are made or brought up to date. Raises LocalProblem with the cause."""
        done = subprocess.run(  # noqa: S603 -- an installed console script
            [self._program, "migrate"],
            capture_output=True,
            text=True,
            check=False,
            env=dict(self.environment()),
            cwd=self.data_dir,
            start_new_session=True,
        )
        self.process.log.parent.mkdir(parents=True, exist_ok=True)
        with self.process.log.open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            cause, remedy = find_cause((done.stdout + done.stderr).splitlines())
            raise LocalProblem(f"{self.name} could not prepare its tables: {cause}", f"{remedy} ({self.process.log})")


def answers(url: str) -> bool:
    """An HTTP server answers there, and says that all is well."""
    with contextlib.suppress(OSError, HTTPException):
        return get(url)[0] == 200
    return False


def consumers(url: str, token: str) -> list[dict[str, Any]]:
    """How far each consumer of a service is behind, by partition; empty where the service does not answer."""
    with contextlib.suppress(OSError, HTTPException, ValueError, KeyError, TypeError):
        code, body = get(f"{url}/v1/consumers", token)
        if code == 200:
            return list(json.loads(body)["consumers"])
    return []


def get(url: str, token: str | None = None, timeout_seconds: float = 3) -> tuple[int, bytes]:
    """One small question to a service on this machine. Raises OSError or HTTPException when nobody answers."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
