"""One instance of a service: API, worker and relay as `till-<service> all` runs them, to be killed, frozen and started again."""

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil

from faultlab.lab.orders import Orders
from till_platform.local.ports import HOST
from till_platform.local.process import RecordedProcess

READY_WITHIN = 3.0


class Member:
    """An instance with an address of its own: `order-1` is the first of the service `order`."""

    def __init__(
        self, name: str, environment: Mapping[str, str], port: int, worker_port: int, data_dir: Path, weakened: str = ""
    ) -> None:
        self.name = name
        self.service = name.rpartition("-")[0]
        self.port = port
        self.worker_port = worker_port
        self.frozen = False
        self.kills = 0
        self.process = RecordedProcess(name, data_dir)
        self.orders = Orders(data_dir / "orders" / name)
        self._weakened = weakened
        self._environment = {**environment, "TILL_PORT": str(port), "TILL_WORKER_PORT": str(worker_port)}

    @property
    def running(self) -> bool:
        return self.process.running

    def start(self) -> None:
        """Start it if it is not running; it is ready some seconds later."""
        if not self.process.running:
            self.process.spawn(self._command(), self._environment)

    def kill(self) -> None:
        """Kill all of it at once."""
        self.kills += 1
        self.frozen = False
        self.process.kill()

    def kill_background(self) -> None:
        """Kill worker and relay only: the API notices and ends, too."""
        self.kills += 1
        for child in self._children():
            child.kill()

    def freeze(self) -> None:
        """Stand still with all connections open."""
        self.frozen = True
        self.process.freeze()

    def thaw(self) -> None:
        """Go on as if no time had passed."""
        self.frozen = False
        self.process.thaw()

    def stop(self) -> None:
        """End in order, or not."""
        self.thaw()
        self.process.stop(signal.SIGTERM, 20)

    def is_ready(self) -> bool:
        """Whether it says that everything it needs answers."""
        return self.running and self._get(self.port, "/readyz") is not None

    def figures(self) -> str:
        """Return the worker's figures as Prometheus reads them; nothing if it does not answer."""
        return self._get(self.worker_port, "/metrics") or ""

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the service."""
        first = (
            [f"from faultlab.lab.controls import CONTROLS; CONTROLS['{self._weakened}']()"] if self._weakened else []
        )
        then = f"from till_{self.service}.main import main; main()"
        return [sys.executable, "-c", "; ".join([*first, then]), *arguments]

    def _command(self) -> list[str]:
        """All of the service, and obedient."""
        first = f"from faultlab.lab.inside import obey; obey({str(self.orders.directory)!r}); "
        python, flag, code, *arguments = self.command("all")
        return [python, flag, first + code, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """What it is told from outside."""
        return dict(self._environment)

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True) if self.process.pid else []
        except psutil.NoSuchProcess:
            return []

    def _get(self, port: int, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=READY_WITHIN) as answer:
                return str(answer.read().decode())
        except (OSError, urllib.error.URLError, ValueError):
            return None
