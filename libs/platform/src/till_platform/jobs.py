"""What a service does by the clock, on one worker at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from psycopg import Connection

from till_events.ids import new_id
from till_platform.context import Context, within
from till_platform.eventstore.errors import DATABASE_AWAY, VersionConflict
from till_platform.telemetry import metrics

_log = structlog.get_logger(__name__)
_LOCK = "SELECT pg_try_advisory_lock(hashtext('job'), hashtext(%s))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('job'), hashtext(%s))"
_FORGET_EFFECTS = """
DELETE FROM effect WHERE id IN (
    SELECT id FROM effect WHERE done_at < clock_timestamp() - make_interval(days => %s) ORDER BY done_at LIMIT %s
)
"""
FORGOTTEN_AT_ONCE = 1_000
"""So few rows are removed in one transaction, so that no sender waits for it."""


@dataclass(frozen=True)
class Job:
    """Something to be done again and again. It must bear being run twice, late, or not at all for a while."""

    name: str
    every: timedelta
    run: Callable[[Any], Awaitable[None]]
    """Takes the service's `Parts`."""


async def _forget_answers(parts: Any) -> None:
    await parts.reads.run(
        lambda connection: connection.execute(
            "DELETE FROM answer WHERE recorded_at < clock_timestamp() - interval '7 days'"
        )
    )


FORGET_ANSWERS = Job("forget-answers", timedelta(hours=1), _forget_answers)
"""A repeat under an idempotency key is answered for a week; the events it led to are kept for ever."""


async def _forget_effects(parts: Any) -> None:
    def forget(connection: Connection[Any]) -> int:
        return connection.execute(_FORGET_EFFECTS, [parts.settings.effects_kept_days, FORGOTTEN_AT_ONCE]).rowcount

    while await parts.reads.run(forget) == FORGOTTEN_AT_ONCE:
        continue


FORGET_EFFECTS = Job("forget-effects", timedelta(hours=1), _forget_effects)
"""What was done outside is in the events its sender recorded; the row that asked for it is kept for some weeks, for those who look."""


async def _forget_calls(parts: Any) -> None:
    await parts.reads.run(
        lambda connection: connection.execute(
            "DELETE FROM webhook_attempt WHERE at < clock_timestamp() - make_interval(days => %s)",
            [parts.settings.effects_kept_days],
        )
    )


FORGET_CALLS = Job("forget-webhook-calls", timedelta(hours=1), _forget_calls)
"""What came of a call is for those who look; where a receiver stands is kept."""

HOUSEKEEPING = (FORGET_ANSWERS, FORGET_EFFECTS, FORGET_CALLS)
"""The jobs that every service has."""


class JobLoop:
    """Runs one job on its interval, if no other worker of the service is running it."""

    def __init__(self, job: Job, parts: Any, connect: Callable[[], Connection[Any]]) -> None:
        self.job = job
        self.failure: Exception | None = None
        self._parts = parts
        self._connect = connect
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End after the run under way."""
        self._stop.set()

    async def run(self) -> None:
        """Run the job until `stop`."""
        while not self._stop.is_set():
            try:
                await self._once()
                metrics.JOB_RUNS.labels(self.job.name, "done").inc()
            except (*DATABASE_AWAY, VersionConflict) as error:
                metrics.JOB_RUNS.labels(self.job.name, "again").inc()
                _log.warning("job_again", job=self.job.name, error=type(error).__name__)
            except Exception as error:
                self.failure = error
                _log.critical("job_stopped", job=self.job.name, exc_info=error)
                raise
            try:
                await asyncio.wait_for(self._stop.wait(), self.job.every.total_seconds())
            except TimeoutError:
                continue

    async def _once(self) -> None:
        connection = await asyncio.to_thread(self._connect)
        try:
            (ours,) = (await asyncio.to_thread(connection.execute, _LOCK, [self.job.name])).fetchone() or (False,)
            if ours:
                with within(Context(correlation_id=new_id(), actor=f"job:{self.job.name}")):
                    await self.job.run(self._parts)
                await asyncio.to_thread(connection.execute, _UNLOCK, [self.job.name])
        finally:
            await asyncio.to_thread(connection.close)
