"""A few commands appended in one statement, which is its own transaction: one round trip in the place of seven.

Nearly always every command fits. So a function of the database looks whether all do, behind the same lock as `append`, and writes nothing
if one does not: then `append` finds out which, and why.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from till_platform.arrays import array
from till_platform.eventstore.append import Commit, Outcome, values_of

FEW = 250
"""More events than these are faster by COPY, whose rows cost a quarter less."""
_APPEND = """
SELECT append_at_once(
    %s, %s::text[], %s::int[], %s::uuid[], %s::text[], %s::text[], %b::bytea[], %s::bool[], %b::timestamptz[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %b::bytea[], %s::int[], %b::bytea[], %s::int[], %s::bigint[])
"""


def append_at_once(connection: Connection[Any], commits: Sequence[Commit]) -> list[Outcome] | None:
    """Append all commits, durably, and return the positions of their last events; or nothing, and `None`, if one must be refused.

    The connection is one that commits each statement.
    """
    events: list[tuple[Any, ...]] = []
    answers: list[tuple[Any, ...]] = []
    ends: list[int] = []
    for commit in commits:
        events += [values_of(event, commit.context_of(index)) for index, event in enumerate(commit.events)]
        ends.append(len(events))
        if answer := commit.answer:
            answers.append((answer.key, answer.fingerprint, answer.status, answer.body, len(events)))
    if len({key for key, *_ in answers}) < len(answers):
        return None  # one command twice
    streams, sequences, ids, types, keys, contents, publics, occurred, *origins = _columns(events, width=13)
    answered, fingerprints, statuses, bodies, positions = _columns(answers, width=5)
    effects = [commit.effect for commit in commits if commit.effect is not None]
    parameters = [
        datetime.now(UTC),
        *map(array, (streams, sequences, [str(one) for one in ids], types, keys)),
        *(contents, array(publics), occurred),
        *map(array, origins),
        *(array(answered), fingerprints, array(statuses), bodies, array(positions)),
        array(effects),
    ]
    row = connection.execute(_APPEND, parameters).fetchone()
    assert row is not None
    (head,) = row
    return None if head is None else [head + end for end in ends]


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
