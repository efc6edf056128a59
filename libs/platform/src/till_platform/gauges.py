"""What only the database knows of a service, looked up at intervals for whoever collects metrics."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from prometheus_client import Gauge

from till_platform.database_figures import DATABASE_FIGURES
from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.figures import Figure
from till_platform.parts import Parts
from till_platform.telemetry import metrics

EVERY_SECONDS = 5.0
FIGURES_EVERY_SECONDS = 30.0
"""Figures of the business count whole read models: that may take a while, and nobody acts on them within seconds."""
_log = structlog.get_logger(__name__)
_LETTERS = "SELECT consumer, count(*) AS number FROM dead_letter WHERE settled_at IS NULL GROUP BY consumer"
_PARKED = "SELECT consumer, count(*) AS number FROM parked_key GROUP BY consumer"
_WAITING = "SELECT kind, count(*) AS number FROM effect WHERE done_at IS NULL GROUP BY kind"
_WEBHOOKS = """
SELECT known.state, count(found.state) AS number FROM (VALUES ('called'), ('failing'), ('disabled')) AS known (state) LEFT JOIN (
    SELECT CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN failing_since IS NOT NULL THEN 'failing' ELSE 'called' END AS state
    FROM webhook
) AS found USING (state) GROUP BY 1
"""
_RELAY = """
SELECT head.position - coalesce(mark.position, 0) AS behind, extract(epoch FROM clock_timestamp() - next.recorded_at)::float8 AS age
FROM log_head AS head LEFT JOIN relay_mark AS mark ON true
    LEFT JOIN log AS next ON next.position = coalesce(mark.position, 0) + 1
"""


class Gauges:
    """Keeps the gauges of one service true. Something that is gone is shown as zero, not left at its last figure."""

    def __init__(self, parts: Parts, consumer: str, figures: Sequence[Figure] = ()) -> None:
        self.failure: Exception | None = None
        self._parts = parts
        self._figures = [*DATABASE_FIGURES, *figures]
        self._figures_at = -FIGURES_EVERY_SECONDS
        # What is well is shown as 0: an alert can tell that from a service that is not asked.
        self._seen: defaultdict[Gauge, set[tuple[str, ...]]] = defaultdict(
            set, {metrics.DEAD_LETTERS: {(consumer,)}, metrics.PARKED_KEYS: {(consumer,)}}
        )
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
        for gauge, query in (
            (metrics.DEAD_LETTERS, _LETTERS),
            (metrics.PARKED_KEYS, _PARKED),
            (metrics.EFFECTS_WAITING, _WAITING),
            (metrics.WEBHOOKS, _WEBHOOKS),
        ):
            self._show(gauge, await reads.all(query))
        relay = await reads.one(_RELAY)
        if relay:
            metrics.RELAY_LAG_EVENTS.set(relay["behind"])
            metrics.RELAY_OLDEST_SECONDS.set(relay["age"] or 0)
        if time.monotonic() - self._figures_at >= FIGURES_EVERY_SECONDS:
            for figure in self._figures:
                self._show(figure.gauge, await reads.all(figure.query))
            self._figures_at = time.monotonic()

    def _show(self, gauge: Gauge, rows: Iterable[dict[str, Any]]) -> None:
        found = {}
        for row in rows:
            *labels, value = row.values()
            found[tuple(map(str, labels))] = value
        for place in self._seen[gauge] | set(found):
            (gauge.labels(*place) if place else gauge).set(found.get(place, 0))
        self._seen[gauge] |= set(found)
