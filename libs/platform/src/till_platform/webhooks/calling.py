"""Calling receivers: each in the order of the log, one event after the other, again and again for a day when it fails."""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpcore2
import structlog
from psycopg import Connection

from till_events.structured import CONTENT_TYPE
from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.parts import Parts
from till_platform.public_log import Published, read_stretch
from till_platform.telemetry import metrics
from till_platform.webhooks.guard import GuardedNetwork, Resolve, resolve
from till_platform.webhooks.signing import signed

AT_ONCE = 8
PER_TURN = 50
IDLE_SECONDS = 1.0
CALL_SECONDS = 10.0
LEASE = timedelta(seconds=60)
"""Longer than a call; renewed with every event taken. After a caller was killed another one takes over that soon."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=2)
GIVEN_UP_AFTER = timedelta(days=1)
GONE = 410
_log = structlog.get_logger(__name__)

_CLAIM = """
UPDATE webhook SET leased_until = clock_timestamp() + %(lease)s
WHERE name IN (
    SELECT name FROM webhook
    WHERE disabled_at IS NULL AND not_before <= %(now)s AND (leased_until IS NULL OR leased_until < clock_timestamp())
        AND position < (SELECT position FROM log_head)
    ORDER BY not_before LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
RETURNING name, url, types, secret, CASE WHEN former_until > %(now)s THEN former_secret END, position, attempts, failing_since, leased_until
"""
_TAKEN = """
UPDATE webhook SET position = %(position)s, attempts = 0, failing_since = NULL, leased_until = clock_timestamp() + %(longer)s
WHERE name = %(name)s AND leased_until = %(lease)s
RETURNING leased_until
"""
_FAILED = """
UPDATE webhook SET attempts = attempts + 1, failing_since = coalesce(failing_since, %(now)s), not_before = %(again)s, leased_until = NULL,
    disabled_at = CASE WHEN %(give_up)s::text IS NULL THEN disabled_at ELSE %(now)s END, disabled_why = coalesce(%(give_up)s, disabled_why)
WHERE name = %(name)s AND leased_until = %(lease)s
"""
_DONE = (
    "UPDATE webhook SET leased_until = NULL, position = greatest(position, %s) WHERE name = %s AND leased_until = %s"
)
_NOTE = """
INSERT INTO webhook_attempt (webhook, position, event_id, attempt, seconds, status, error)
SELECT name, %(position)s, %(event)s, %(attempt)s, %(seconds)s, %(status)s, %(error)s FROM webhook WHERE name = %(name)s
"""


@dataclass(slots=True)
class Receiver:
    """Who is called, and where it stands. `lease` says that the calling is ours."""

    name: str
    url: str
    types: list[str] | None
    secret: str
    former_secret: str | None
    position: int
    attempts: int
    failing_since: datetime | None
    lease: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: a status, or an error without one."""

    status: int | None
    error: str | None
    seconds: float

    @property
    def taken(self) -> bool:
        """Whether the receiver has it. A redirect is not followed: it is no answer of the one we know."""
        return self.status is not None and 200 <= self.status < 300


class WebhookLoop:
    """Calls receivers as their turn comes. Any number of these may run; a receiver has one caller at a time."""

    def __init__(self, parts: Parts, *, trusted: Collection[str] = (), resolve: Resolve = resolve) -> None:
        self.failure: Exception | None = None
        self._parts = parts
        self._now: Callable[[], datetime] = parts.clock.now
        self._stop = asyncio.Event()
        self._calls = httpcore2.AsyncConnectionPool(
            max_connections=AT_ONCE, keepalive_expiry=30, network_backend=GuardedNetwork(trusted, resolve)
        )

    def stop(self) -> None:
        """End after the calls under way."""
        self._stop.set()

    async def run(self) -> None:
        """Call until `stop`. A bug ends it and is kept in `failure`."""
        try:
            while not self._stop.is_set():
                try:
                    claimed = await self._parts.reads.run(self._claim)
                    async with asyncio.TaskGroup() as turns:
                        for receiver in claimed:
                            turns.create_task(self._turn(receiver))
                except* DATABASE_AWAY as errors:
                    _log.warning("webhooks_again", error=type(errors.exceptions[0]).__name__)
                    claimed = []
                if not claimed:
                    await self._pause()
        except Exception as error:
            self.failure = error
            _log.critical("webhooks_stopped", exc_info=error)
            raise
        finally:
            await self._calls.aclose()

    def _claim(self, connection: Connection[Any]) -> list[Receiver]:
        wanted = {"lease": LEASE, "now": self._now(), "most": AT_ONCE}
        return [Receiver(*row) for row in connection.execute(_CLAIM, wanted)]

    async def _turn(self, receiver: Receiver) -> None:
        """Call one receiver with what comes next, until it has all, fails, or others have waited long enough."""
        service = self._parts.settings.service
        stretch = await self._parts.reads.run(
            lambda connection: read_stretch(connection, service, receiver.position, types=receiver.types, most=PER_TURN)
        )
        until = stretch.until
        for event in stretch.events:
            answer = await self._call(receiver, event)
            if not await self._parts.reads.run(lambda connection: self._record(connection, receiver, event, answer)):  # noqa: B023 - awaited here
                return
            if self._stop.is_set():
                until = event.position
                break
        await self._parts.reads.run(
            lambda connection: connection.execute(_DONE, [until, receiver.name, receiver.lease])
        )

    async def _call(self, receiver: Receiver, event: Published) -> Answer:
        started = time.monotonic()
        keys = [receiver.secret, *([receiver.former_secret] if receiver.former_secret else [])]
        headers: dict[bytes | str, bytes | str] = {
            "content-type": CONTENT_TYPE,
            "user-agent": "Tillstream",
            **signed(event.id, self._now(), event.line, keys),
        }
        limits = dict.fromkeys(("connect", "read", "write", "pool"), CALL_SECONDS)
        status, error = None, None
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._calls.stream(
                    "POST", receiver.url, headers=headers, content=event.line, extensions={"timeout": limits}
                ) as response,
            ):
                status = response.status
        except TimeoutError:
            error = "no answer in time"
        except Exception as failed:  # noqa: BLE001 - whatever is wrong over there must not end the loop
            error = type(failed).__name__
        return Answer(status, error, time.monotonic() - started)

    def _record(self, connection: Connection[Any], receiver: Receiver, event: Published, answer: Answer) -> bool:
        """Write down what came of a call; return whether to go on with the next event."""
        now = self._now()
        place = {"name": receiver.name, "lease": receiver.lease, "position": event.position, "now": now}
        with connection.transaction():
            note = {"event": event.id, "attempt": receiver.attempts + 1, "seconds": answer.seconds}
            connection.execute(_NOTE, {**place, **note, "status": answer.status, "error": answer.error})
            if answer.taken:
                receiver.attempts = 0
                receiver.failing_since = None
                renewed = connection.execute(_TAKEN, {**place, "longer": LEASE}).fetchone()
                ours = renewed is not None
                receiver.lease = renewed[0] if renewed else receiver.lease
            else:
                more = {"again": now + wait_after(receiver.attempts), "give_up": given_up(receiver, answer, now)}
                connection.execute(_FAILED, {**place, **more})
                ours = False
        metrics.WEBHOOK_CALLS.labels("taken" if answer.taken else "failed").inc()
        if not answer.taken:
            _log.warning("webhook_failed", webhook=receiver.name, status=answer.status, error=answer.error)
        return ours

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), IDLE_SECONDS)
        except TimeoutError:
            return


def wait_after(attempts: int, chance: Callable[[], float] = random.random) -> timedelta:
    """Return how long to wait after so many failures before this one: 5 s, twice as long each time, two hours at most."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts, 16))
    return wait * (0.9 + 0.2 * chance())  # those that failed together do not all come back together


def given_up(receiver: Receiver, answer: Answer, now: datetime) -> str | None:
    """Return why nobody is called there any more, if so: it said that it is gone, or it has failed for a day."""
    if answer.status == GONE:
        return "it answered that it is gone (410)"
    if receiver.failing_since is not None and now - receiver.failing_since >= GIVEN_UP_AFTER:
        return f"it has failed since {receiver.failing_since.isoformat(timespec='seconds')}"
    return None
