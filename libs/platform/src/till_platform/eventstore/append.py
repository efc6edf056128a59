"""Appending to the log: the one place where positions are given out.

The invariant: whoever holds the row lock of `log_head` is the only one who appends in this database, and keeps it until commit. So the
versions checked under the lock are the truth, positions are gapless and in commit order, and a reader that follows `position > n` can never
skip an event. Locks of anything else are taken before this one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from uuid_utils import uuid7

from till_platform.context import Context
from till_platform.domain import DomainError
from till_platform.eventstore.errors import RepeatedCommand, VersionConflict
from till_platform.eventstore.stored import LoggedEvent

COLUMNS = (
    "position",
    "recorded_at",
    "stream",
    "sequence",
    "id",
    "type",
    "key",
    "data",
    "public",
    "occurred_at",
    "correlation_id",
    "causation_id",
    "actor",
    "store_id",
    "traceparent",
)
TYPES = ("int8", "timestamptz", "text", "int4", "uuid", "text", "text", "bytea", "bool", "timestamptz", *["text"] * 5)
COPY = f"COPY log ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_VERSIONS = """
SELECT wanted.stream, coalesce((SELECT max(sequence) FROM log WHERE log.stream = wanted.stream), 0)
FROM unnest(%s::text[]) AS wanted (stream)
"""
_LAST_TIME = "SELECT recorded_at FROM log WHERE position = %s"
_ANSWERS = "SELECT key, status, body, fingerprint FROM answer WHERE key = ANY(%s)"
_STORE_ANSWERS = """
INSERT INTO answer (key, fingerprint, status, body, position, recorded_at)
SELECT * FROM unnest(%s::text[], %s::bytea[], %s::int[], %s::bytea[], %s::bigint[], %s::timestamptz[])
"""
_FINISH_EFFECTS = "UPDATE effect SET done_at = clock_timestamp(), leased_until = NULL WHERE id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a command with an idempotency key, ready to be stored."""

    key: str
    fingerprint: bytes
    status: int
    body: bytes


@dataclass(slots=True, eq=False)
class Commit:
    """The events of one command: recorded together or not at all, and refused alone.

    `effect` is the outgoing effect that the command completes.
    """

    events: Sequence[LoggedEvent]
    context: Context
    answer: StoredAnswer | None = None
    effect: int | None = None
    causes: Sequence[Context] | None = field(default=None)

    def context_of(self, index: int) -> Context:
        """Return under which context the event at `index` is recorded: reactions save events of many causes in one go."""
        return self.causes[index] if self.causes else self.context


Outcome = int | DomainError | RepeatedCommand
"""The position of a commit's last event, or why it was refused."""


def append(connection: Connection[Any], commits: Sequence[Commit]) -> list[Outcome]:
    """Append what may be appended, in the connection's open transaction, and say for each commit what became of it.

    Nothing of a refused commit is written. The caller commits; only then are the positions true.
    """
    head = lock_head(connection)
    versions = _versions(connection, commits)
    answered = _answered(connection, commits)
    now = _time_after(connection, head)
    rows: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    accepted: list[tuple[Commit, int]] = []
    for commit in commits:
        refusal = _refusal(commit, versions, answered)
        if refusal is not None:
            outcomes.append(refusal)
            continue
        for index, event in enumerate(commit.events):
            head += 1
            versions[str(event.originator_id)] = event.originator_version
            rows.append((head, now, *values_of(event, commit.context_of(index))))
        if commit.answer:
            answer = commit.answer
            answered[answer.key] = RepeatedCommand(answer.key, answer.status, answer.body, answer.fingerprint)
        outcomes.append(head)
        accepted.append((commit, head))
    _write(connection, head, rows, accepted, now)
    return outcomes


def lock_head(connection: Connection[Any]) -> int:
    """Become the only one who appends, until the transaction ends, and return the position of the last event."""
    row = connection.execute("SELECT position FROM log_head FOR UPDATE").fetchone()
    assert row is not None, "the log has no head: was the database migrated?"
    return int(row[0])


def _time_after(connection: Connection[Any], head: int) -> datetime:
    """Return the time, or that of the last event where another process's clock is ahead: times follow positions."""
    last = connection.execute(_LAST_TIME, [head]).fetchall()
    latest: datetime = max([datetime.now(UTC), *(before for (before,) in last)])
    return latest


def _versions(connection: Connection[Any], commits: Iterable[Commit]) -> dict[str, int]:
    streams = {str(event.originator_id) for commit in commits for event in commit.events}
    return dict(connection.execute(_VERSIONS, [sorted(streams)]).fetchall())


def _answered(connection: Connection[Any], commits: Iterable[Commit]) -> dict[str, RepeatedCommand]:
    keys = [commit.answer.key for commit in commits if commit.answer]
    if not keys:
        return {}
    return {
        key: RepeatedCommand(key, status, body, fingerprint)
        for key, status, body, fingerprint in connection.execute(_ANSWERS, [keys])
    }


def _refusal(commit: Commit, versions: dict[str, int], answered: dict[str, RepeatedCommand]) -> Outcome | None:
    if commit.answer and (repeated := answered.get(commit.answer.key)):
        return repeated
    expected: dict[str, int] = {}
    for event in commit.events:
        stream = str(event.originator_id)
        if event.originator_version != expected.get(stream, versions[stream]) + 1:
            return VersionConflict(
                f"{stream} was changed by somebody else in the meantime", stream=stream, version=versions[stream]
            )
        expected[stream] = event.originator_version
    return None


def values_of(event: LoggedEvent, context: Context) -> tuple[Any, ...]:
    """Return what is recorded of an event, but for its position and the time: the columns behind these two."""
    return (
        event.originator_id,
        event.originator_version,
        uuid7(),
        event.topic,
        event.key,
        event.state,
        event.public,
        event.occurred_at,
        context.correlation_id,
        context.causation_id,
        context.actor,
        event.store_id,
        context.traceparent,
    )


def _write(
    connection: Connection[Any],
    head: int,
    rows: Sequence[tuple[Any, ...]],
    accepted: Sequence[tuple[Commit, int]],
    now: datetime,
) -> None:
    if rows:
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            for row in rows:
                copy.write_row(row)
        connection.execute("UPDATE log_head SET position = %s", [head])
    answers = [(commit.answer, position) for commit, position in accepted if commit.answer]
    if answers:
        columns = [
            (answer.key, answer.fingerprint, answer.status, answer.body, position, now) for answer, position in answers
        ]
        connection.execute(_STORE_ANSWERS, [list(column) for column in zip(*columns, strict=True)])
    effects = [commit.effect for commit, _ in accepted if commit.effect is not None]
    if effects:
        connection.execute(_FINISH_EFFECTS, [effects])
