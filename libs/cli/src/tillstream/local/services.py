import contextlib
import json
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from till_platform.local.part import Part
from till_platform.local.ports import HOST, Ports


def installed_services() -> list[str]:
    """The services on this machine, in alphabetical order; a service that is not installed is not missed."""
    return sorted(point.name for point in entry_points(group="tillstream.services"))


class ServiceProcess(Part):
    """One service with all it does, as a small chain would run it: the API, and beside it worker and relay."""

    start_patience_seconds = 900.0  # its read models may be rebuilt first
    stop_patience_seconds = 60.0

    def __init__(self, name: str, data_dir: Path, ports: Ports, programs: Path) -> None:
        super().__init__(name, data_dir)
        self._ports = ports
        self._program = str(programs / f"till-{name}")
        self.addresses: Mapping[str, str] = {}  # where the service finds the other parts: known once they are up
        self._migrated = False

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._ports[self.name]}"

    @property
    def worker_address(self) -> str:
        """Where its worker and relay answer probes, figures and where they stand."""
        return f"http://{HOST}:{self._ports[self._worker]}"

    @property
    def _worker(self) -> str:
        return f"{self.name}-worker"

    def prepare(self) -> None:
        self._ports.claim(self.name)
        self._ports.claim(self._worker)

    def command(self) -> Sequence[str]:
        # One that died is started again also while Kafka or a topic cannot be reached.
        return [self._program, "all"] if self._migrated else [self._program, "all", "--migrate"]

    def environment(self) -> Mapping[str, str]:
        ports = {"TILL_PORT": self._ports[self.name], "TILL_WORKER_PORT": self._ports[self._worker]}
        # By default glibc keeps what each thread has freed apart, for nobody else to use.
        memory = {"MALLOC_ARENA_MAX": "2"}
        return {**memory, **self.addresses, "TILL_HOST": HOST, **{name: str(port) for name, port in ports.items()}}

    def is_ready(self) -> bool:
        self._migrated |= (ready := answers(f"{self.address}/readyz"))
        return ready


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
