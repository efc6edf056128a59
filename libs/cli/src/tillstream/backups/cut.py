"""One point in time in several databases, none of which knows of the others."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

_HALT = "LOCK TABLE checkpoint IN EXCLUSIVE MODE"
_SNAPSHOT = "SELECT pg_export_snapshot(), (SELECT position FROM log_head), (SELECT count(*) FROM migration)"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a dump of one database is to show, and how far its log had come then."""

    id: str
    log_position: int
    steps: int


@contextmanager
def one_point(databases: Mapping[str, str]) -> Iterator[dict[str, Snapshot]]:
    """Take a snapshot of each database so that nobody has taken an event that is missing in its owner's log.

    What happened before a consumer's checkpoint must be in the log it was read from, else the same positions would be given to other events
    after a restore. So all consumers are halted for the moment (a lock on their checkpoints, waiting for the batch in flight), then the
    snapshots are taken, then they go on. Tills are answered all the while: a log that is ahead of its readers is no harm.
    """
    with ExitStack() as kept:
        with ExitStack() as halted:
            for address in databases.values():
                worker = halted.enter_context(psycopg.connect(address))
                worker.execute("SET lock_timeout = '60s'")
                worker.execute(_HALT)
            found = {name: _snapshot(kept, address) for name, address in databases.items()}
        yield found


def _snapshot(kept: ExitStack, address: str) -> Snapshot:
    """A snapshot can be used by others as long as the transaction that it was taken in is open."""
    connection = kept.enter_context(psycopg.connect(address))
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    row = connection.execute(_SNAPSHOT).fetchone()
    assert row is not None
    return Snapshot(*row)
