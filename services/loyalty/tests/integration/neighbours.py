"""The services next door, as loyalty sees them: logs that are relayed to topics."""

import asyncio
import threading
from collections.abc import Sequence

from till_events.base import Event
from till_platform.domain import Aggregate
from till_platform.eventstore.schema import migrate
from till_platform.parts import connect, open_parts
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.relay import Relay
from till_platform.settings import Settings
from till_platform.testing.infra import Infra


class Thing(Aggregate):
    """Whatever a neighbour keeps. What its events mean over there is not our business."""

    kind = "thing"

    def apply(self, event: Event) -> None:
        """Keep nothing."""


class Neighbour:
    """A service with a log and a relay, and nothing else."""

    def __init__(self, owner: str, infra: Infra, namespace: str) -> None:
        self._settings = Settings.read(
            service=owner,
            environment="local",
            pg=infra.database(owner),
            kafka=infra.kafka,
            redis=infra.redis,
            partitions=6,
            namespace=namespace,
        )
        with connect(self._settings, long=True) as connection:
            migrate(connection)
        self._loop = asyncio.new_event_loop()
        self._open = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._live()))
        self._thread.start()
        assert self._open.wait(30)

    async def _live(self) -> None:
        async with open_parts(self._settings) as parts:
            self._log = parts.log
            relay = Relay(self._settings.service, parts.connect, KafkaSide(self._settings))
            relaying = asyncio.create_task(relay.run())
            self._open.set()
            await self._over.wait()
            relay.stop()
            await relaying

    def tell(self, *events: Event) -> None:
        """Record what happened; it is on the topic a moment later."""
        asyncio.run_coroutine_threadsafe(self._tell(events), self._loop).result(60)

    async def _tell(self, events: Sequence[Event]) -> None:
        things = await self._log.load_many(Thing, [_about(event) for event in events])
        for event in events:
            things[_about(event)].record(event)
        await self._log.save(*things.values())

    def leave(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)
        self._loop.close()


def _about(event: Event) -> str:
    """Name what an event is about: a receipt and its returns are one thing."""
    for field in ("purchase_id", "return_id", "customer_id"):
        if identity := getattr(event, field, None):
            return str(identity)
    raise LookupError(type(event).__name__)
