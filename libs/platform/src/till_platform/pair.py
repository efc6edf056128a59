"""`till-<name> all`: the API in one process, worker and relay in a second one, forked from the first.

A till that waits for an answer comes before read models that may be some milliseconds late: with a process of its own the API shares no
interpreter lock with the rest, and the rest is nicer to the scheduler. Forking shares what both have loaded. Neither lives on without the
other, so that whoever started the service has one thing to watch.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import structlog

from till_platform import process
from till_platform.http.probes import NotReady
from till_platform.service import Service
from till_platform.settings import Settings, SettingsError

NICENESS = 10
"""How far worker and relay step back where API and they want the same processor."""
PATIENCE_SECONDS = 40.0
_log = structlog.get_logger(__name__)


class Line:
    """What connects the two processes: a knock says that there is something new in the log; its end says that the other one is gone."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end

    def knock(self) -> None:
        """May be called from any thread; a line full of knocks has been heard already, a closed one is noticed by `listen`."""
        with contextlib.suppress(OSError):
            self._end.send(b".")

    def listen(self, knocked: Callable[[], None], gone: Callable[[], None]) -> None:
        """Call `knocked` at every knock, and `gone` once when the other process has ended; from the event loop."""
        loop = asyncio.get_running_loop()

        def heard() -> None:
            try:
                knocks = self._end.recv(4096)
            except BlockingIOError:
                return
            except ConnectionResetError:  # it ended with knocks unheard
                knocks = b""
            if knocks:
                knocked()
            else:
                loop.remove_reader(self._end)
                gone()

        loop.add_reader(self._end, heard)


class Background:
    """The worker and the relay as the API's process sees them."""

    def __init__(self, pid: int, address: tuple[str, int]) -> None:
        self.pid = pid
        self._address = address

    async def ready(self) -> Any:
        """A check: whether they are ready too."""
        status, body = await asyncio.to_thread(self._ask)
        if status != 200:
            raise NotReady(body or f"answered {status}")

    def _ask(self) -> tuple[int, str]:
        connection = HTTPConnection(*self._address, timeout=1.5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException) as error:
            return 0, f"does not answer: {type(error).__name__}"
        finally:
            connection.close()

    def end(self) -> int:
        """Let it end what it has begun, and return its exit code; after some patience it is killed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)


def serve(service: Service, settings: Settings) -> None:
    """Run both processes until told to stop, the API first to end. Exits with 1 when the second one failed."""
    listener = _listen(settings)
    address = listener.getsockname()[:2]
    here, there = socket.socketpair()
    if (
        threads := threading.active_count()
    ) > 1:  # a lock that one of them holds would never be released in the other process
        _log.warning("forked_beside_threads", count=threads)
    gc.collect()
    gc.freeze()  # what is loaded stays in pages that both processes share
    pid = os.fork()
    if pid == 0:
        here.close()
        _serve_background(service, settings, listener, Line(there))
        os._exit(0)
    there.close()
    listener.close()
    _serve_api(service, settings, Background(pid, address), Line(here))


def _listen(settings: Settings) -> socket.socket:
    """Bind before there are two processes, so that the first one knows where the second one answers."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.worker_port), family=family)
    except OSError as error:
        raise SettingsError(f"TILL_WORKER_PORT: {settings.worker_port} on {settings.host}: {error.strerror}") from None


def _serve_background(service: Service, settings: Settings, listener: socket.socket, line: Line) -> None:
    _step_back()

    def gone() -> None:
        _log.critical("api_gone")
        os._exit(1)  # as if killed with it: all that matters is in the database

    def started(running: process.Running) -> None:
        assert running.relay is not None
        line.listen(running.relay.wake, gone)

    process.serve(service, settings, frozenset({"worker", "relay"}), started=started, woken=True, listener=listener)


def _step_back() -> None:
    """Linux desktops and servers share processors between sessions first and look at niceness within one: so a session of its own."""
    os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))
    os.nice(NICENESS)


def _serve_api(service: Service, settings: Settings, background: Background, line: Line) -> None:
    left_alone = False

    def gone() -> None:
        nonlocal left_alone
        left_alone = True
        signal.raise_signal(signal.SIGTERM)

    def started(running: process.Running) -> None:
        assert running.parts is not None
        running.parts.committer.on_commit(line.knock)
        line.listen(lambda: None, gone)

    try:
        process.serve(service, settings, frozenset({"api"}), started=started, checks={"worker": background.ready})
    finally:
        code = background.end()
        if left_alone and code:  # 0 is what it ends with when somebody signals all processes of a service at once
            _log.critical("worker_gone", code=code)
            raise SystemExit(1)
