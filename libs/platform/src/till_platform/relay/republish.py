"""Publishing a log once more, by hand: for a topic that lost records or holds what nobody recorded.

The invariant: only who leads publishes. So the relay is asked to step aside (by a new epoch), steps aside with nothing in flight, and the
mark is set back before anything else. Whoever leads next goes on from the mark: an interrupted republish is ended by the relay, or by
another republish.
"""

from collections.abc import Callable
from typing import Any

from psycopg.errors import LockNotAvailable

from till_platform.relay.relay import BATCH, LEASE_SECONDS, TAKE_OVER, NotLeading, Relay, Rows
from till_platform.relay.rows import COLUMNS

PATIENCE_SECONDS = 60
"""How long to wait for the lead: a relay that was frozen loses it after its lease."""

_ASK = "UPDATE relay_mark SET epoch = epoch + 1 WHERE topic = %s"
_WAIT = "SELECT pg_advisory_lock(hashtext('relay'), hashtext(%s))"
_HEAD = "SELECT position FROM log_head"
_BEFORE = "SELECT key, max(position) FROM log WHERE public AND position < %s GROUP BY key"
_RANGE = f"SELECT {COLUMNS} FROM log WHERE position > %s AND position <= %s ORDER BY position LIMIT {BATCH}"

Progress = Callable[[int, int], None]
"""Told how many events of the log were gone through and how many there are."""


class Republish(Relay):
    """A relay that leads for as long as it takes to publish a part of the log again, and then gives the lead back."""

    _marked = 0
    _upto = 0

    async def once(
        self, progress: Progress, *, first: int = 1, last: int | None = None, replace: bool = False
    ) -> tuple[int, int]:
        """Publish the events at positions `first` to `last` again behind what is on the topic; return the first and last position.

        `replace` deletes first what is on the topic, and publishes everything. A topic that lost its end is refilled from the beginning,
        as a relay would. Raises `NotLeading` if somebody else took the lead meanwhile, or would not give it.
        """
        try:
            await self._lead()
            ends = self._ends.copy()
            (head,) = await self._in_thread(self._one, _HEAD)
            refilled = self.position < self._marked
            if replace or refilled:
                first, last = 1, None
            first = max(1, min(first, self._marked + 1))
            self._upto = head if last is None else min(last, head)
            await self._set_back(first)
            if replace:
                await self._kafka.empty()
            while rows := await self._next():
                await self._publish(rows)
                progress(self.position - first + 1, self._upto - first + 1)
            await self._go_forward(ends)
        finally:
            await self._let_go()
            self._threads.shutdown(wait=False)
        return first, self._upto

    def _take_over(self) -> Any:
        assert self._connection is not None
        self._connection.execute(f"SET idle_session_timeout = '{LEASE_SECONDS}s'")
        self._connection.execute(f"SET lock_timeout = '{PATIENCE_SECONDS}s'")
        self._connection.execute("SET statement_timeout = 0")
        self._connection.execute(_ASK, [self.topic])
        try:
            self._connection.execute(_WAIT, [self.topic])
        except LockNotAvailable:
            raise NotLeading(self.topic) from None
        found = self._connection.execute(TAKE_OVER, [self.topic]).fetchone()
        assert found is not None
        self._marked = found[0]
        return found

    def _one(self, query: str, *parameters: Any) -> Any:
        assert self._connection is not None
        return self._connection.execute(query, parameters).fetchone()

    def _read(self, position: int) -> Rows:
        assert self._connection is not None
        return self._connection.execute(_RANGE, [position, self._upto], binary=True).fetchall()

    async def _set_back(self, first: int) -> None:
        """Move the mark in front of `first`, and find out which position is in front of it in each partition."""
        self._last = await self._last_before(first)
        await self._in_thread(self._mark, first - 1)
        self.position = first - 1

    async def _last_before(self, position: int) -> dict[int, int]:
        assert self._producer is not None
        partitions = sorted(await self._producer.partitions_for(self.topic))
        last: dict[int, int] = {}
        for key, found in await self._in_thread(self._keys_before, position):
            partition = self._partitioner(key.encode(), partitions, partitions)
            last[partition] = max(found, last.get(partition, 0))
        return last

    def _keys_before(self, position: int) -> list[tuple[str, int]]:
        assert self._connection is not None
        return self._connection.execute(_BEFORE, [position]).fetchall()

    async def _go_forward(self, ends: dict[int, int]) -> None:
        """Put the mark back where it was, if the part ended before; with the ends of then, where the last records stand."""
        if self.position < self._marked:
            self._ends = ends
            self._last = await self._last_before(self._marked + 1)
            await self._in_thread(self._mark, self._marked)
