"""A connection that the event loop itself waits for.

A thread that waits for the database must get the interpreter back from a busy event loop after every answer, which takes a millisecond; the
event loop finds the answer among its other events. For short statements only: what takes long to decode belongs in a thread.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

ConnectInLoop = Callable[[], Awaitable[AsyncConnection[Any]]]


class InLoop:
    """Opened when it is first needed, and anew after a failure. For one user at a time."""

    def __init__(self, connect: ConnectInLoop, *, first: str | None = None) -> None:
        """`first` is said once on each new connection."""
        self._connect = connect
        self._first = first
        self._connection: AsyncConnection[Any] | None = None

    async def rows(self, query: str, parameters: Sequence[Any], *, prepare: bool | None = None) -> list[Any]:
        """Run a statement, which is its own transaction, and return its rows. After one that failed a new connection is opened."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
                if self._first:
                    await self._connection.execute(self._first)
            cursor = await self._connection.execute(query, parameters, prepare=prepare, binary=True)
            return await cursor.fetchall()
        except (psycopg.DataError, psycopg.IntegrityError):
            raise  # what was said makes no sense; there is nothing wrong with the line
        except BaseException:  # a caller who goes away in the middle leaves a line on which somebody is still talking
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, at once and from anywhere; what is on its way may or may not be done."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()
