"""Answers to the till's question in Valkey. May be flushed, frozen or gone at any time: then it knows nothing, and nobody waits for it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

_PAUSE = 1.0
"""Seconds for which a cache that failed is not asked again: a frozen one must not slow every till down."""

# Entries are `<sequence> <valid until, epoch seconds> <JSON>`. One with an older sequence never takes the place of a newer one, whoever
# comes last. For each key there are three arguments: sequence, entry, milliseconds to keep it.
_PUT = """
for place, key in ipairs(KEYS) do
  local there = redis.call('GET', key)
  local sequence = ARGV[place * 3 - 2]
  if not there or tonumber(string.match(there, '^%d+')) <= tonumber(sequence) then
    redis.call('SET', key, ARGV[place * 3 - 1], 'PX', ARGV[place * 3])
  end
end
return {}
"""

# Accounts moved on: answers from before are worth nothing now, nor is one that somebody has read and is about to put. What is left is an
# entry without an answer. Returns the places of those that somebody had asked about.
_OUTDATE = """
local asked = {}
for place, key in ipairs(KEYS) do
  local sequence, valid_until = string.match(redis.call('GET', key) or '0 0 ', '^(%d+) ([%d.]+)')
  if tonumber(sequence) < tonumber(ARGV[place]) then
    redis.call('SET', key, ARGV[place] .. ' 0 ', 'PX', 60000)
    if tonumber(valid_until) > 0 then asked[#asked + 1] = place end
  end
end
return asked
"""


class TillCache:
    """Reads of one moment are asked for together: a rush of tills needs one connection and one round trip, not hundreds."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[bytes | None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._asked_again_at = 0.0

    async def get(self, cache: Redis, key: str) -> bytes | None:
        """Return the entry; nothing if there is none, or the cache does not answer."""
        if self._is_away():
            return None
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read(cache))
        return await asyncio.shield(waiting)

    async def put(self, cache: Redis, entries: Sequence[tuple[str, int, bytes, int]]) -> bool:
        """Keep entries (key, sequence, entry, milliseconds) unless newer ones are there; tell whether the cache took them."""
        arguments: list[int | bytes] = []
        for _, sequence, entry, milliseconds in entries:
            arguments += (sequence, entry, milliseconds)
        return await self._run(cache, _PUT, [key for key, *_ in entries], arguments) is not None

    async def outdate(self, cache: Redis, moved: Sequence[tuple[str, int]]) -> list[int] | None:
        """Drop answers older than these sequences; return the places of those that were there, nothing if the cache is away."""
        asked = await self._run(cache, _OUTDATE, [key for key, _ in moved], [sequence for _, sequence in moved])
        return None if asked is None else [place - 1 for place in asked]

    async def _read(self, cache: Redis) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, {}
                found: Sequence[Any] = ()
                try:
                    found = await cache.mget(list(waiting))
                except RedisError as error:
                    self._fail(error)
                finally:
                    for place, answer in enumerate(waiting.values()):
                        answer.set_result(found[place] if found else None)
        finally:
            self._reading = None

    async def _run(
        self, cache: Redis, script: str, keys: Sequence[str], arguments: Sequence[int | bytes]
    ) -> list[int] | None:
        if self._is_away():
            return None
        try:
            answer: Any = await cache.eval(script, len(keys), *keys, *arguments)
        except RedisError as error:
            self._fail(error)
            return None
        return list(answer)

    def _is_away(self) -> bool:
        return time.monotonic() < self._asked_again_at

    def _fail(self, error: RedisError) -> None:
        _log.warning("cache_away", error=type(error).__name__)
        self._asked_again_at = time.monotonic() + _PAUSE
