"""An event store over a database of its own, for tests and benchmarks that need no service around it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool

from till_platform.eventstore.append import Commit
from till_platform.eventstore.at_once import APPEND, AtOnce
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.log import Log


def committer_for(address: str) -> GroupCommit:
    """Return a committer that writes to the database at this address; the caller closes it."""
    return GroupCommit(
        partial(psycopg.connect, address, autocommit=True),
        partial(psycopg.AsyncConnection.connect, address, autocommit=True),
    )


def append_at_once(connection: Connection[Any], commits: Sequence[Commit]) -> list[int] | None:
    """Append as the event loop does, over a connection that waits: the positions of the last events, nothing if one must be refused."""
    together = AtOnce(commits)
    if not together.fits:
        return None
    ((head,),) = connection.execute(APPEND, together.parameters).fetchall()
    return None if head is None else together.positions(head)


@contextmanager
def open_log(address: str, *, committer: GroupCommit | None = None, threads: int = 2) -> Iterator[Log]:
    """Open the log of the order service in a migrated database."""
    mine = committer or committer_for(address)
    in_loop = partial(psycopg.AsyncConnection.connect, address, autocommit=True)
    pool: ConnectionPool[Any] = ConnectionPool(
        address, min_size=1, max_size=threads, open=True, kwargs={"autocommit": True}
    )
    with pool, ThreadPoolExecutor(threads) as executor:
        log = Log("order", pool, mine, executor, in_loop)
        yield log
        log.close()
        if committer is None:
            mine.close()
