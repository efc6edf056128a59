"""Doing what was asked for outside: one row, one claim, one lease."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import structlog
from psycopg_pool import ConnectionPool

from till_events.ids import new_id
from till_platform.context import Context, within
from till_platform.eventstore.errors import DATABASE_AWAY, VersionConflict
from till_platform.telemetry import metrics
from till_platform.telemetry.tracing import collecting, current_traceparent, span

LEASE = timedelta(seconds=60)
IDLE_SECONDS = 0.5
LONGEST_WAIT = timedelta(minutes=15)
_log = structlog.get_logger(__name__)

_CLAIM = """
UPDATE effect SET leased_until = clock_timestamp() + %(lease)s, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM effect
    WHERE kind = %(kind)s AND done_at IS NULL AND not_before <= %(now)s
        AND (leased_until IS NULL OR leased_until < clock_timestamp())
    ORDER BY not_before, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, key, payload, attempts, correlation_id, causation_id, traceparent
"""
_POSTPONE = """
UPDATE effect SET not_before = %s, leased_until = NULL, last_error = %s, attempts = attempts - %s
WHERE id = %s AND done_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to be done outside. `key` is unique per kind and goes with every attempt, so that the other side can tell a repeat."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int
    correlation_id: str = ""
    causation_id: str | None = None
    traceparent: str | None = None


class Postpone(Exception):
    """Not now: try again at `until`. Does not count as an attempt."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


class TryAgain(Exception):
    """The other side did not do it, or did not say: try again later, with the same key. `reason` holds no personal data."""


class Sender(ABC):
    """Does effects of one kind.

    `deliver` makes the call and then records what came of it with `log.save(…, done=effect.id)`: the events and the completion are one
    transaction. A crash between the call and the record leads to a second call with the same key.
    """

    kind: ClassVar[str]
    at_once: ClassVar[int] = 8

    @abstractmethod
    async def deliver(self, effect: Effect) -> None:
        """Do it; raise `Postpone` or `TryAgain` if it is not done."""


class SenderLoop:
    """Claims effects of one kind and hands them to the sender, a few at a time. Any number of these may run; a row has one claim."""

    def __init__(
        self, sender: Sender, pool: ConnectionPool[Any], threads: ThreadPoolExecutor, clock: Callable[[], datetime]
    ) -> None:
        self.sender = sender
        self.failure: Exception | None = None
        self._pool = pool
        self._threads = threads
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Something new was asked for."""
        self._wake.set()

    def stop(self) -> None:
        """End after the deliveries under way."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until `stop`. A bug in a sender ends it and is kept in `failure`."""
        while not self._stopping:
            self._wake.clear()
            try:
                claimed = await self._in_thread(self._claim)
                async with asyncio.TaskGroup() as group:
                    for effect in claimed:
                        group.create_task(self._deliver(effect))
            except DATABASE_AWAY as error:
                await self._stand_back(error)
            except BaseExceptionGroup as group_error:
                away, bugs = group_error.split(DATABASE_AWAY)
                if away is not None and bugs is None:  # not even the failure could be noted: the lease runs out
                    await self._stand_back(away)
                    continue
                self.failure = RuntimeError(f"the sender of {self.sender.kind} failed: {group_error.exceptions[0]!r}")
                _log.critical("sender_stopped", kind=self.sender.kind, exc_info=group_error)
                raise
            else:
                if not claimed:
                    await self._pause(IDLE_SECONDS)

    async def _stand_back(self, error: BaseException) -> None:
        _log.warning("sender_again", kind=self.sender.kind, error=type(error).__name__)
        await self._pause(1.0)

    async def _deliver(self, effect: Effect) -> None:
        with span(f"deliver {effect.kind}", parent=effect.traceparent, kind="client"):
            context = Context(
                correlation_id=effect.correlation_id or new_id(),
                causation_id=effect.causation_id,
                actor=f"sender:{effect.kind}",
                traceparent=current_traceparent() if collecting() else effect.traceparent,
            )
            with metrics.EFFECT_SECONDS.labels(effect.kind).time():
                outcome = await self._outcome(effect, context)
        metrics.EFFECTS.labels(effect.kind, outcome).inc()

    async def _outcome(self, effect: Effect, context: Context) -> str:
        try:
            with within(context):
                await self.sender.deliver(effect)
        except Postpone as later:
            await self._in_thread(self._postpone, effect, later.until, None, 1)
            return "postponed"
        except (TryAgain, *DATABASE_AWAY) as error:
            wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(effect.attempts, 10)))
            await self._in_thread(self._postpone, effect, self._clock() + wait, str(error)[:500], 0)
            return "again"
        except VersionConflict:
            await self._in_thread(self._postpone, effect, self._clock(), None, 0)  # somebody else recorded an outcome
            return "conflict"
        return "done"

    def _claim(self) -> list[Effect]:
        values = {"kind": self.sender.kind, "limit": self.sender.at_once, "lease": LEASE, "now": self._clock()}
        with self._pool.connection() as connection:
            return [Effect(*row) for row in connection.execute(_CLAIM, values)]

    def _postpone(self, effect: Effect, until: datetime, error: str | None, uncounted: int) -> None:
        with self._pool.connection() as connection:
            connection.execute(_POSTPONE, [until, error, uncounted, effect.id])

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
