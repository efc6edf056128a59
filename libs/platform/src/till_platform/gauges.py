"""What only the database knows of a service's health, looked up at intervals for whoever collects metrics."""

import asyncio
from typing import Any

import structlog

from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.parts import Parts
from till_platform.telemetry import metrics

EVERY_SECONDS = 5.0
_log = structlog.get_logger(__name__)
_LETTERS = "SELECT consumer, count(*) AS number FROM dead_letter WHERE settled_at IS NULL GROUP BY consumer"
_PARKED = "SELECT consumer, count(*) AS number FROM parked_key GROUP BY consumer"
_WAITING = "SELECT kind, count(*) AS number FROM effect WHERE done_at IS NULL GROUP BY kind"
_RELAY = """
SELECT head.position - coalesce(mark.position, 0) AS behind, extract(epoch FROM clock_timestamp() - next.recorded_at)::float8 AS age
FROM log_head AS head LEFT JOIN relay_mark AS mark ON true
    LEFT JOIN log AS next ON next.position = coalesce(mark.position, 0) + 1
"""


class Gauges:
    """Keeps the gauges of one service true. Something that is gone is shown as zero, not left at its last figure."""

    def __init__(self, parts: Parts) -> None:
        self.failure: Exception | None = None
        self._parts = parts
        self._seen: dict[Any, set[str]] = {}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    async def run(self) -> None:
        """Look until `stop`."""
        while not self._stop.is_set():
            try:
                await self._look()
            except DATABASE_AWAY as error:
                _log.debug("gauges_again", error=type(error).__name__)
            try:
                await asyncio.wait_for(self._stop.wait(), EVERY_SECONDS)
            except TimeoutError:
                continue

    async def _look(self) -> None:
        reads = self._parts.reads
        for gauge, label, query in (
            (metrics.DEAD_LETTERS, "consumer", _LETTERS),
            (metrics.PARKED_KEYS, "consumer", _PARKED),
            (metrics.EFFECTS_WAITING, "kind", _WAITING),
        ):
            found = {row[label]: row["number"] for row in await reads.all(query)}
            for name in self._seen.setdefault(gauge, set()) | set(found):
                gauge.labels(name).set(found.get(name, 0))
            self._seen[gauge] |= set(found)
        relay = await reads.one(_RELAY)
        if relay:
            metrics.RELAY_LAG_EVENTS.set(relay["behind"])
            metrics.RELAY_OLDEST_SECONDS.set(relay["age"] or 0)
