import contextlib
import json
import random
import socket
import weakref
from collections.abc import Mapping
from pathlib import Path

from till_platform.local.files import write_atomically
from till_platform.local.problem import LocalProblem

HOST = "127.0.0.1"
# Below the range from which systems take the local ends of outgoing connections (32768 and up), so that a remembered
# port is not lost to some client's connection between two starts.
CANDIDATES = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Nobody listens on this port of the machine; connections of an earlier listener that linger do not count."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


class Ports:
    """The ports of one stack: chosen once, remembered in its data directory, so that addresses stay the same from start to start.

    `wanted` are ports somebody asked for: taken ones are refused. `preferred` are tried first and given up quietly.

    Between the look whether a port is free and the moment a part listens there, a second stack that is started may look too. So a
    claimed port is held, until this object is gone, by a UDP socket of the same number: nothing here speaks UDP, nobody is disturbed.
    """

    def __init__(
        self, data_dir: Path, wanted: Mapping[str, int] | None = None, preferred: Mapping[str, int] | None = None
    ) -> None:
        self._file = data_dir / "ports.json"
        self._wanted = dict(wanted or {})
        self._preferred = dict(preferred or {})
        self._chosen: dict[str, int] = {}
        self._told: set[str] = set()
        self._held: dict[int, socket.socket] = {}
        weakref.finalize(self, _let_go, self._held)
        with contextlib.suppress(FileNotFoundError, ValueError):
            self._chosen = {str(name): int(port) for name, port in json.loads(self._file.read_text()).items()}

    def __getitem__(self, name: str) -> int:
        """The port of a part, choosing one if it has none yet."""
        return self._chosen[name] if name in self._chosen else self.claim(name)

    def claim(self, name: str) -> int:
        """The port on which a part is about to start listening.

        Raises LocalProblem if somebody asked for a port that is taken. A port remembered from an earlier run that is taken meanwhile is
        replaced; one claimed before in this run is not, since others were told of it.
        """
        port = self._pick(name)
        self._told.add(name)
        if self._chosen.get(name) != port:
            self._chosen[name] = port
            write_atomically(self._file, json.dumps(self._chosen, indent=2))
        return port

    def _pick(self, name: str) -> int:
        if name in self._wanted:
            port = self._wanted[name]
            if not self._take(port):
                raise LocalProblem(
                    f"port {port}, asked for {name}, is taken by another program",
                    f"stop that program or give {name} another port",
                )
            return port
        if name in self._told:
            port = self._chosen[name]
            if not is_free(port):
                raise LocalProblem(f"port {port} of {name} was taken by another program", "stop that program")
            return port
        others = {port for other, port in self._chosen.items() if other != name}
        settled = [ports[name] for ports in (self._chosen, self._preferred) if name in ports]
        for port in (*settled, *random.sample(CANDIDATES, 200)):
            if port not in others and self._take(port):
                return port
        raise LocalProblem(
            f"no free port was found for {name} between {CANDIDATES.start} and {CANDIDATES.stop}", "stop some listeners"
        )

    def _take(self, port: int) -> bool:
        if not self._hold(port):
            return False
        if is_free(port):
            return True
        self._held.pop(port).close()
        return False

    def _hold(self, port: int) -> bool:
        """Whether no other stack holds this port; from now on we do."""
        if port in self._held:
            return True
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind((HOST, port))
        except OSError:
            holder.close()
            return False
        self._held[port] = holder
        return True


def _let_go(held: dict[int, socket.socket]) -> None:
    for holder in held.values():
        holder.close()
