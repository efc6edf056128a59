"""The services next door, as the service under test sees them: logs that are relayed to topics, and nothing behind them."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

from till_events.base import Event, declaration_of
from till_platform.context import Context
from till_platform.domain import RecordedEvent
from till_platform.eventstore.append import Commit
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.schema import migrate
from till_platform.eventstore.stored import LoggedEvent
from till_platform.parts import connect, open_parts
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.relay import Relay
from till_platform.settings import Settings
from till_platform.testing.infra import Infra

T = TypeVar("T")
PARTITIONS = 6
PATIENCE_SECONDS = 60
_SUBJECTS = (
    "account_id",
    "message_id",
    "purchase_id",
    "return_id",
    "order_id",
    "product_id",
    "customer_id",
    "store_id",
)
"""What names the thing an event is about, the most telling first: a receipt and the returns against it are one thing."""


class Neighbours:
    """Tell what happened in other services; it is on their topics as those services would put it there.

    Events go through a real log and a real relay for each owner, opened when the first event of that owner is told. So their keys,
    order, headers and places in the log are those of production, without the owners' rules: any story can be told.
    """

    def __init__(self, infra: Infra, namespace: str) -> None:
        self.namespace = namespace
        self._infra = infra
        self._opened: dict[str, _Neighbour] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="neighbours")
        self._thread.start()

    def tell(self, *events: Event) -> None:
        """Record what happened, and return when all of it is on the topics. Events of one owner keep their order."""
        self._run(self._tell((event, None) for event in events))

    def tell_unreadable(self, event: Event, data: bytes) -> None:
        """Record an event as a broken version of its owner would: with `data` in the place of what it says."""
        self._run(self._tell([(event, data)]))

    def settings_of(self, owner: str) -> Settings:
        """Return the settings of a service that was told of already: where its log is."""
        return self._opened[owner].settings

    def close(self) -> None:
        """End the relays and the logs."""
        for neighbour in self._opened.values():
            self._run(neighbour.leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _tell(self, told: Iterable[tuple[Event, bytes | None]]) -> None:
        by_owner: defaultdict[str, list[tuple[Event, bytes | None]]] = defaultdict(list)
        for event, data in told:
            by_owner[declaration_of(event).owner].append((event, data))
        for owner, events in by_owner.items():
            if owner not in self._opened:
                settings = Settings.read(
                    service=owner,
                    environment="local",
                    pg=self._infra.database(f"beside_{owner}"),
                    kafka=self._infra.kafka,
                    redis=self._infra.redis,
                    partitions=PARTITIONS,
                    namespace=self.namespace,
                )
                self._opened[owner] = await _Neighbour.move_in(settings)
            await self._opened[owner].tell(events)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)


class _Neighbour:
    """One service's log and relay."""

    def __init__(self, settings: Settings, committer: GroupCommit, relay: Relay, open_now: AsyncExitStack) -> None:
        self.settings = settings
        self._committer = committer
        self._relay = relay
        self._open_now = open_now
        self._relaying = asyncio.create_task(relay.run())
        self._sequences: Counter[str] = Counter()
        self._keys: dict[str, str] = {}

    @classmethod
    async def move_in(cls, settings: Settings) -> Self:
        with connect(settings, long=True) as connection:
            migrate(connection)
        async with AsyncExitStack() as opening:
            parts = await opening.enter_async_context(open_parts(settings))
            relay = Relay(settings.service, parts.connect, KafkaSide(settings))
            return cls(settings, parts.committer, relay, opening.pop_all())

    async def tell(self, told: Iterable[tuple[Event, bytes | None]]) -> None:
        rows = [self._row(event, data) for event, data in told]
        (outcome,) = await self._committer.append([Commit(rows, Context(correlation_id="test"))])
        assert isinstance(outcome, int), outcome
        while self._relay.position < outcome:
            assert not self._relaying.done(), self._relay.failure
            self._relay.wake()
            await asyncio.sleep(0.005)

    async def leave(self) -> None:
        self._relay.stop()
        await self._relaying
        await self._open_now.aclose()

    def _row(self, event: Event, data: bytes | None) -> LoggedEvent:
        stream = _stream_of(event)
        key = self._keys.setdefault(stream, getattr(event, "customer_id", None) or stream)
        self._sequences[stream] += 1
        row = LoggedEvent.of(RecordedEvent(stream, self._sequences[stream], event, key))
        if data is not None:
            vars(row)["state"] = data
        return row


def _stream_of(event: Event) -> str:
    subject = next(name for name in _SUBJECTS if getattr(event, name, None))
    return f"{subject.removesuffix('_id')}-{getattr(event, subject)}"
