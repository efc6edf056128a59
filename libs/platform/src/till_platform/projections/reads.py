"""Reading the read models, for the API."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]


class Reads:
    """Queries on the service's own read models. Tables are named with their schema, which is the projection's name."""

    def __init__(self, pool: ConnectionPool[Any], threads: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._threads = threads

    async def all(self, query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Return all rows as dictionaries."""

        def read(connection: Connection[Any]) -> list[dict[str, Any]]:
            return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()

        return await self.run(read)

    async def one(self, query: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """Return the first row, or nothing."""

        def read(connection: Connection[Any]) -> dict[str, Any] | None:
            return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchone()

        return await self.run(read)

    async def value(self, query: str, parameters: Parameters = ()) -> Any:
        """Return the first column of the first row, or nothing."""

        def read(connection: Connection[Any]) -> Any:
            row = connection.execute(query, parameters).fetchone()
            return row[0] if row else None

        return await self.run(read)

    async def run(self, read: Callable[[Connection[Any]], T]) -> T:
        """Run several queries on one connection, in a thread."""

        def work() -> T:
            with self._pool.connection() as connection:
                return read(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
