"""What reactions touch while a batch is worked on: aggregates kept at hand between batches, and effects asked for."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.types.json import Jsonb

from till_platform.batch import Fact
from till_platform.context import Context
from till_platform.domain import Aggregate
from till_platform.eventstore.append import Commit
from till_platform.eventstore.stored import LoggedEvent
from till_platform.eventstore.streams import bring_up_to_date, read_streams
from till_platform.telemetry.tracing import collecting, current_traceparent

A = TypeVar("A", bound=Aggregate)

_ASK = """
INSERT INTO effect (kind, key, payload, not_before, correlation_id, causation_id, traceparent)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (kind, key) DO NOTHING
"""


class AggregateCache:
    """Aggregates that reactions used lately. Never trusted: each batch first reads what was recorded of them since.

    Their state grows with their events, so these are what is counted: `size` events are kept, however many aggregates they make up.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[str, Aggregate] = OrderedDict()
        self._events = 0

    def load(self, connection: Connection[Any], wanted: dict[str, type[Aggregate]]) -> dict[str, Aggregate]:
        """Return the aggregates by stream; those without events are empty."""
        kept = {stream: found for stream in wanted if (found := self._taken(stream)) is not None}
        if kept:
            bring_up_to_date(connection, kept)
        if new := {stream: cls for stream, cls in wanted.items() if stream not in kept}:
            kept |= read_streams(connection, new)
        return kept

    def keep(self, aggregates: Iterable[Aggregate]) -> None:
        """Keep aggregates whose events are committed."""
        for aggregate in aggregates:
            if aggregate.exists:
                self._taken(aggregate.id)
                self._kept[aggregate.id] = aggregate
                self._events += aggregate.version
        while self._events > self._size:
            _, oldest = self._kept.popitem(last=False)
            self._events -= oldest.version

    def _taken(self, stream: str) -> Aggregate | None:
        found = self._kept.pop(stream, None)
        if found is not None:
            self._events -= found.version
        return found


class BatchUnit:
    """The `Unit` of one batch's reactions."""

    def __init__(
        self, connection: Connection[Any], cache: AggregateCache, aggregates: dict[str, Aggregate], now: datetime
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._aggregates = aggregates
        self._now = now
        self._cause: Context | None = None
        self._events: list[LoggedEvent] = []
        self._causes: list[Context] = []
        self._touched: dict[str, Aggregate] = {}
        self._effects: list[tuple[Any, ...]] = []

    @property
    def now(self) -> datetime:
        return self._now

    def get(self, cls: type[A], identity: str) -> A:
        stream = cls.stream(identity)
        aggregate = self._aggregates.get(stream)
        if aggregate is None:  # named by what another aggregate holds, so nobody could tell beforehand
            aggregate = self._cache.load(self._connection, {stream: cls})[stream]
            self._aggregates[stream] = aggregate
        assert isinstance(aggregate, cls)
        self._touched[stream] = aggregate
        return aggregate

    def effect(self, kind: str, key: str, payload: dict[str, Any], *, not_before: datetime | None = None) -> None:
        assert self._cause is not None
        cause = (self._cause.correlation_id, self._cause.causation_id, self._cause.traceparent)
        self._effects.append((kind, key, Jsonb(payload), not_before or self._now, *cause))

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()

    def begin(self, fact: Fact[Any], reaction: str) -> None:
        """Let all that is recorded until `end` be caused by `fact`."""
        self._cause = Context(
            correlation_id=fact.correlation_id,
            causation_id=fact.id,
            actor=f"reaction:{reaction}",
            traceparent=current_traceparent() if collecting() else fact.traceparent,
        )

    def end(self) -> None:
        """Take over what the reaction recorded."""
        assert self._cause is not None
        for aggregate in self._touched.values():
            for recorded in aggregate.collect_events():
                self._events.append(LoggedEvent.of(recorded))
                self._causes.append(self._cause)
        self._touched.clear()

    def write_effects(self) -> int:
        """Write down what is to be done outside; return how many were asked for."""
        if self._effects:
            self._connection.cursor().executemany(_ASK, self._effects)
        return len(self._effects)

    def commit(self) -> Commit | None:
        """Return everything recorded as one commit, each event under its own cause."""
        return Commit(self._events, self._causes[0], causes=self._causes) if self._events else None
