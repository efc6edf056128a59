"""A few commands appended in one statement, which is its own transaction: one round trip in the place of seven.

Nearly always every command fits. So a function of the database looks whether all do, behind the same lock as `append`, and writes nothing
if one does not: then `append` finds out which, and why.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from till_platform.arrays import array
from till_platform.eventstore.append import Commit, values_of

FEW = 250
"""More events than these are faster by COPY, whose rows cost a quarter less."""
APPEND = """
SELECT append_at_once(
    %s, %s::text[], %s::int[], %s::uuid[], %s::text[], %s::text[], %b::bytea[], %s::bool[], %b::timestamptz[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %b::bytea[], %s::int[], %b::bytea[], %s::int[], %s::bigint[])
"""
"""Returns the position before the first event; null, and nothing is written, if one commit must be refused."""
_BY_INDEX = "SET LOCAL enable_seqscan = off"


class AtOnce:
    """What the statement is given of some commits, in columns, and where each of them ends."""

    def __init__(self, commits: Sequence[Commit]) -> None:
        events: list[tuple[Any, ...]] = []
        answers: list[tuple[Any, ...]] = []
        self._ends: list[int] = []
        for commit in commits:
            events += [values_of(event, commit.context_of(index)) for index, event in enumerate(commit.events)]
            self._ends.append(len(events))
            if answer := commit.answer:
                answers.append((answer.key, answer.fingerprint, answer.status, answer.body, len(events)))
        streams, sequences, ids, types, keys, contents, publics, occurred, *origins = _columns(events, width=13)
        answered, fingerprints, statuses, bodies, positions = _columns(answers, width=5)
        effects = [commit.effect for commit in commits if commit.effect is not None]
        self.fits = len(set(answered)) == len(answered)
        """Not if one command is there twice: the second must be told what the first was answered."""
        self.parameters: list[Any] = [
            datetime.now(UTC),
            *map(array, (streams, sequences, [str(one) for one in ids], types, keys)),
            *(contents, array(publics), occurred),
            *map(array, origins),
            *(array(answered), fingerprints, array(statuses), bodies, array(positions)),
            array(effects),
        ]

    def positions(self, head: int) -> list[int]:
        """Return the position of each commit's last event, if `head` was the last position before."""
        return [head + end for end in self._ends]


def ask_to_append(connection: Connection[Any], commit: Commit) -> Callable[[], bool]:
    """Append as the last thing in the open transaction; return what tells whether that was done. If not, `append` says why."""
    connection.execute(_BY_INDEX)  # as everywhere where the plans of the function are kept
    asked = connection.execute(APPEND, AtOnce([commit]).parameters, binary=True)
    return lambda: asked.fetchall() != [(None,)]


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
