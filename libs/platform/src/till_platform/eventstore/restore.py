"""A log that was exported, put back: the same events at the same positions, into a log that has none."""

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from till_platform.domain import Conflict
from till_platform.eventstore.append import COPY, TYPES, lock_head


class LogNotEmpty(Conflict):
    """Something was recorded here already. What was exported can only be put back where nothing was."""

    code = "log-not-empty"


def restore(connection: Connection[Any], rows: Iterable[tuple[Any, ...]]) -> int:
    """Write rows (`COLUMNS`, positions 1, 2, 3, …) as the log, in the connection's open transaction; return the last position.

    Raises `LogNotEmpty`, and whatever `rows` raises: the caller then rolls back.
    """
    head = lock_head(connection)
    if head:
        raise LogNotEmpty(f"the log has {head} events already", position=head)
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(TYPES)
        for row in rows:
            head += 1
            assert row[0] == head, "a log has no gap"
            copy.write_row(row)
    connection.execute("UPDATE log_head SET position = %s", [head])
    return head
