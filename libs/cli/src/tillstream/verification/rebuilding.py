"""Read models compared with their rebuild, each service in a process of its own.

These processes do what `till-<service> verify` does. They are forked from one that has loaded all services already: to load five services
five times would take as long as the work itself.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from tillstream.exits import CommandFailed

GROUP = "tillstream.services"
Progress = Callable[[int, int], None]
"""Told how many records were read and how many there are."""


class Rebuilds:
    """Compares the read models of services with what their topics make of them. Begins to load the services when it is made."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([entry.module for entry in entry_points(group=GROUP)])
        forkserver.ensure_running()  # it loads while others wait and look

    def compare(self, service: str, settings: Mapping[str, Any], progress: Progress) -> list[dict[str, Any]]:
        """Return name and both digests of each read model of a service; raise CommandFailed if it cannot be told."""
        ours, its = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_compare, args=(service, dict(settings), its), daemon=True)
        process.start()
        its.close()
        with ours:
            try:
                while not isinstance(told := ours.recv(), list):
                    progress(*told)
            except EOFError:
                raise CommandFailed(
                    f"the read models of {service} could not be compared", f"till-{service} verify says why"
                ) from None
            finally:
                process.join()
        return told


def _compare(service: str, given: dict[str, Any], out: Connection) -> None:
    from till_platform.parts import connect
    from till_platform.projections.rebuild import Rebuild
    from till_platform.telemetry.logs import configure_logging

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever asked says that it was interrupted, once
    (entry,) = entry_points(group=GROUP, name=service)
    made = entry.load()()
    settings = made.settings.read(service=service, **given)
    configure_logging(settings)
    with connect(settings, long=True) as connection:
        progress = lambda read, total: out.send((read, total))  # noqa: E731 - it has one word to say
        found = asyncio.run(Rebuild(settings, made.consumer, made.projections, connection, progress).compare())
    out.send(
        [{"service": service, "name": one.name, "digest": one.live, "rebuilt_digest": one.rebuilt} for one in found]
    )
