"""One batch, one transaction: read models, reactions, dead letters, the checkpoint, and last of all the new events.

The invariant: everything a batch leads to is committed together with the step of its checkpoints, and that step is a compare-and-set. So
redelivery, rebalance and a kill at any instant change nothing twice and lose nothing. Locks are taken in one order everywhere: parked keys,
rows of read models, checkpoints, and the head of the log just before commit, so that a long batch never holds up the API.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from till_platform.batch import Batch, Fact
from till_platform.domain import Aggregate, DomainError
from till_platform.eventstore.append import Commit, append
from till_platform.eventstore.at_once import ask_to_append
from till_platform.eventstore.errors import VersionConflict
from till_platform.pipelining import in_pipeline
from till_platform.projections import tables
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.reactions.reaction import Reaction
from till_platform.telemetry import metrics
from till_platform.telemetry.tracing import span
from till_platform.worker.cursor import advance
from till_platform.worker.parking import bury, parked_keys, sort_out, without_settled
from till_platform.worker.reading import Entry, Letter, Reading
from till_platform.worker.traces import projecting
from till_platform.worker.unit import AggregateCache, BatchUnit

CACHED_EVENTS = 80_000
"""A bound of some 30 MB for aggregates like loyalty's accounts, which know every purchase."""

FEW = 64
"""So few records are worked on in a pipeline: the way to PostgreSQL and back, eighteen times, takes longer than all that is done there."""

Permanent = (DomainError, psycopg.DataError)
"""Failures that the same event would meet again: it becomes a dead letter. Everything else is retried, or is a bug and stops the worker."""


class Superseded(Exception):
    """Another version of this service has rebuilt a read model: what this one would write there, nobody could rely on."""


class Taken:
    """What came of a reading."""

    __slots__ = ("effects", "facts", "letters", "recorded")

    def __init__(
        self,
        facts: Sequence[Fact[Any]] = (),
        letters: int = 0,
        recorded: Sequence[StoredEvent] = (),
        effects: int = 0,
    ) -> None:
        self.facts = facts
        self.letters = letters
        self.recorded = recorded
        self.effects = effects

    @property
    def events(self) -> int:
        """How many events reactions raised."""
        return len(self.recorded)

    def __add__(self, other: "Taken") -> "Taken":
        facts = [*self.facts, *other.facts]
        recorded = [*self.recorded, *other.recorded]
        return Taken(facts, self.letters + other.letters, recorded, self.effects + other.effects)


class BatchTransaction:
    """Takes readings for one consumer. Used by one thread at a time."""

    def __init__(
        self,
        consumer: str,
        projections: Sequence[Projection],
        reactions: Sequence[Reaction],
        clock: Callable[[], datetime],
    ) -> None:
        self._consumer = consumer
        self._projections = projections
        self._reactions = reactions
        self._clock = clock
        self._cache = AggregateCache(CACHED_EVENTS)

    def take(self, connection: Connection[Any], reading: Reading) -> Taken:
        """Commit what a reading leads to. An event that can never be taken is found by halving and buried; the others are taken.

        Raises `Fenced` if the partitions are no longer ours, `VersionConflict` if an aggregate changed meanwhile (try again), and whatever
        else the database or a bug raises; nothing is committed then.
        """
        try:
            return self._commit(connection, reading)
        except VersionConflict:
            raise
        except Permanent as error:
            if len(reading.entries) > 1:
                first, second = reading.halves()
                return self.take(connection, first) + self.take(connection, second)
            (entry,) = reading.entries
            detail = error.detail if isinstance(error, DomainError) else type(error).__name__
            entry.letter = Letter(entry.partition, entry.record, reason_of(error), detail)
            return self._commit(connection, reading)

    def apply(self, connection: Connection[Any], facts: Sequence[Fact[Any]]) -> Taken:
        """Take facts in an open transaction, without checkpoint: how released letters are taken."""
        self._must_be_current(connection)
        taken, _ = self._apply(connection, facts)
        return taken

    def _commit(self, connection: Connection[Any], reading: Reading) -> Taken:
        little = len(reading.entries) <= FEW
        with connection.transaction(), connection.pipeline() if little else nullcontext():
            self._must_be_current(connection)
            entries = without_settled(connection, self._consumer, reading.entries)
            entries, letters = sort_out(entries, parked_keys(connection, self._consumer))
            taken, aggregates = self._apply(connection, facts_of(entries), reading, letters)
        self._cache.keep(aggregates)  # only now is it true what they say
        metrics.events_recorded(taken.recorded)
        taken.letters = len(letters)
        return taken

    def _apply(
        self,
        connection: Connection[Any],
        facts: Sequence[Fact[Any]],
        reading: Reading | None = None,
        letters: Sequence[Letter] = (),
    ) -> tuple[Taken, Collection[Aggregate]]:
        self._project(connection, Batch(facts))
        unit, aggregates = self._react(connection, facts)
        effects = unit.write_effects()
        bury(connection, self._consumer, letters)
        steps = [(place, old, reading.after[place]) for place, old in reading.before.items()] if reading else []
        must_have_moved = advance(connection, self._consumer, steps)
        commit = unit.commit()
        has_appended = ask_to_append(connection, commit) if commit and in_pipeline(connection) else None
        must_have_moved()
        if commit and not (has_appended and has_appended()):
            _append(connection, commit)
        return Taken(facts, recorded=commit.events if commit else (), effects=effects), aggregates.values()

    def _must_be_current(self, connection: Connection[Any]) -> None:
        if others := tables.of_other_versions(connection, self._projections, held=True):
            found = ", ".join(f"{name} is of version {version}" for name, version in sorted(others.items()))
            raise Superseded(f"{found}: another version of this service has rebuilt it, and its worker goes on")

    def _project(self, connection: Connection[Any], batch: Batch) -> None:
        db = Db(connection)
        for projection in self._projections:
            part = batch.only(projection.of)
            if len(part):
                with (
                    projecting(projection.name, part),
                    metrics.PROJECTION_SECONDS.labels(projection.name).time(),
                    tables.inside(connection, projection.name),
                ):
                    projection.fold(part, db)
                metrics.PROJECTION_EVENTS.labels(projection.name).inc(len(part))

    def _react(self, connection: Connection[Any], facts: Sequence[Fact[Any]]) -> tuple[BatchUnit, dict[str, Aggregate]]:
        work = [(fact, reaction) for fact in facts for reaction in self._reactions if type(fact.event) in reaction.of]
        wanted = {cls.stream(identity): cls for fact, reaction in work for cls, identity in reaction.wants(fact)}
        aggregates = self._cache.load(connection, wanted) if wanted else {}
        unit = BatchUnit(connection, self._cache, aggregates, self._clock())
        more = {
            cls.stream(identity): cls for fact, reaction in work for cls, identity in reaction.also_wants(fact, unit)
        }
        if missing := {stream: cls for stream, cls in more.items() if stream not in aggregates}:
            aggregates.update(self._cache.load(connection, missing))
        for fact, reaction in work:
            with span(f"react {reaction.name}", parent=fact.traceparent, kind="consumer"):
                unit.begin(fact, reaction.name)
                reaction.react(fact, unit)
                unit.end()
        return unit, aggregates


def _append(connection: Connection[Any], commit: Commit) -> None:
    (outcome,) = append(connection, [commit])
    if isinstance(outcome, Exception):
        raise outcome


def facts_of(entries: Sequence[Entry]) -> list[Fact[Any]]:
    """Return the facts among entries."""
    return [entry.fact for entry in entries if entry.fact is not None]


def reason_of(error: Exception) -> str:
    """Return the stable reason under which a failure is buried."""
    return f"refused:{error.code}" if isinstance(error, DomainError) else "unstorable"
