"""Read models compared with their rebuild, each service in a process of its own.

These processes do what `till-<service> verify` does. They are forked from one that has loaded all services already: to load five services
five times would take as long as the work itself.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import entry_points
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from tillstream.exits import CommandFailed

GROUP = "tillstream.services"
PATIENCE_SECONDS = 30.0
"""How long Kafka may be away, or a topic lack an event, before a comparison is given up."""
Progress = Callable[[int, int], None]
"""Told how many records were read and how many there are."""
Complain = Callable[[str], None]
"""Told in a line why nothing goes on for the moment."""


class Rebuilds:
    """Compares the read models of services with what their topics make of them. Begins to load the services when it is made."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([entry.module for entry in entry_points(group=GROUP)])
        forkserver.ensure_running()  # it loads while others wait and look

    def compare(
        self,
        service: str,
        settings: Mapping[str, Any],
        progress: Progress,
        complain: Complain,
        *,
        names: Sequence[str] = (),
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> list[dict[str, Any]]:
        """Return name and both digests of each read model of a service, or of those named, and where the two part.

        Raises CommandFailed if it cannot be told.
        """
        ours, its = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_compare, args=(service, dict(settings), list(names), patience_seconds, its), daemon=True
        )
        process.start()
        its.close()
        with ours:
            try:
                while not isinstance(told := ours.recv(), list):
                    if isinstance(told, str):
                        complain(f"{service}: {told}")
                    else:
                        progress(*told)
            except EOFError:
                raise CommandFailed(
                    f"the read models of {service} could not be compared", f"till-{service} verify says why"
                ) from None
            finally:
                process.join()
        return told


def _compare(service: str, given: dict[str, Any], names: list[str], patience_seconds: float, out: Connection) -> None:
    from aiokafka.errors import KafkaError

    from till_platform.parts import connect
    from till_platform.process import tune_interpreter
    from till_platform.projections.following import TopicIncomplete
    from till_platform.projections.rebuild import Rebuild
    from till_platform.telemetry.logs import configure_logging

    tune_interpreter()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever asked says that it was interrupted, once
    (entry,) = entry_points(group=GROUP, name=service)
    made = entry.load()()
    settings = made.settings.read(service=service, **given)
    configure_logging(settings)
    chosen = [part for part in made.projections if not names or part.name in names]
    with connect(settings, long=True) as connection:
        progress = lambda read, total: out.send((read, total))  # noqa: E731 - it has one word to say
        rebuild = Rebuild(settings, made.consumer, chosen, connection, progress, out.send, patience_seconds)
        try:
            found = asyncio.run(rebuild.compare())
        except (KafkaError, TopicIncomplete) as error:
            out.send(f"{type(error).__name__}: {error}")
            return
    out.send(
        [
            {
                "service": service,
                "name": one.name,
                "digest": one.live,
                "rebuilt_digest": one.rebuilt,
                "difference": one.difference and {**asdict(one.difference), "columns": one.difference.columns},
            }
            for one in found
        ]
    )
