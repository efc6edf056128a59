"""What the processes of a service are made of: opened once, closed in the opposite order."""

import asyncio
import select
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg_pool import ConnectionPool

from till_platform.clock import Clock, SystemClock
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.log import Log
from till_platform.projections.reads import Reads
from till_platform.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

THREADS = 8
CACHE_SECONDS = 0.25
"""A cache that does not answer at once is worth nothing: the caller reads from the database instead."""

_SESSION = "-c statement_timeout=60s -c lock_timeout=10s -c idle_in_transaction_session_timeout=4s -c timezone=UTC"
_LONG_SESSION = "-c lock_timeout=30s -c timezone=UTC"
_ALIVE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class Cache:
    """The connection to Valkey, made for the first who asks: its client takes 25 MB of memory, and most services keep nothing there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None

    @property
    def client(self) -> "Redis":
        """The client; it gives up soon."""
        if self._client is None:
            from redis.asyncio import Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            retry = Retry(NoBackoff(), 0)
            self._client = Redis.from_url(
                self._url, socket_timeout=CACHE_SECONDS, socket_connect_timeout=CACHE_SECONDS, retry=retry
            )
        return self._client

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if self._client is not None:
            await self._client.aclose()


@dataclass(frozen=True, slots=True)
class Parts:
    """What use cases, senders, jobs and watchers of a service get."""

    settings: Settings
    clock: Clock
    pool: ConnectionPool[Any]
    threads: ThreadPoolExecutor
    committer: GroupCommit
    log: Log
    reads: Reads
    valkey: Cache

    @property
    def cache(self) -> "Redis":
        """What may be flushed at any time."""
        return self.valkey.client

    def connect(self) -> Connection[Any]:
        """Open a connection of one's own, for short transactions: the worker's, the relay's, a job's."""
        return connect(self.settings)


def still_there(connection: Connection[Any]) -> None:
    """Raise if an idle connection was closed. A server has nothing to say to one that is idle: only if it said something is it asked.

    To ask each time is a round trip for every read.
    """
    line = select.poll()
    line.register(connection.fileno(), select.POLLIN)
    if line.poll(0):
        ConnectionPool.check_connection(connection)


async def connect_in_loop(settings: Settings) -> AsyncConnection[Any]:
    """Open the same for the event loop, for statements that are transactions of their own."""
    return await AsyncConnection.connect(
        settings.database, autocommit=True, options=_SESSION, application_name=settings.service, **_ALIVE
    )


def connect(settings: Settings, *, long: bool = False) -> Connection[Any]:
    """Open a connection that notices a dead server and, unless `long`, gives up locks it sits on."""
    options = _LONG_SESSION if long else _SESSION
    return psycopg.connect(
        settings.database, autocommit=True, options=options, application_name=settings.service, **_ALIVE
    )


@asynccontextmanager
async def open_parts(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Parts]:
    """Open the service's database, cache and event store."""
    pool: ConnectionPool[Any] = ConnectionPool(
        settings.database,
        min_size=1,
        max_size=THREADS,
        open=False,
        check=still_there,
        kwargs={"autocommit": True, "options": _SESSION, "application_name": settings.service, **_ALIVE},
    )
    await asyncio.to_thread(pool.open)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reads")
    in_loop = partial(connect_in_loop, settings)
    committer = GroupCommit(partial(connect, settings), in_loop)
    log = Log(settings.service, pool, committer, threads, in_loop)
    cache = Cache(settings.redis)
    try:
        yield Parts(
            settings=settings,
            clock=clock or SystemClock(),
            pool=pool,
            threads=threads,
            committer=committer,
            log=log,
            reads=Reads(pool, threads),
            valkey=cache,
        )
    finally:
        await committer.aclose()
        log.close()
        await cache.close()
        threads.shutdown(wait=True)
        await asyncio.to_thread(pool.close)
