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
# comes last, nor prolongs the life of its equal. For each key there are three arguments: sequence, entry, milliseconds to keep it.
_PUT = """
for place, key in ipairs(KEYS) do
  local sequence, valid_until = string.match(redis.call('GET', key) or '0 0 ', '^(%d+) ([%d.]+)')
  local newer = tonumber(ARGV[place * 3 - 2]) - tonumber(sequence)
  if newer > 0 or (newer == 0 and tonumber(valid_until) == 0) then
    redis.call('SET', key, ARGV[place * 3 - 1], 'PX', ARGV[place * 3])
  end
end
return {}
"""

# Accounts moved on. An answer that is there is good for two seconds more: long enough to be refreshed, so that tills never wait for it.
# Where there is none, an entry without an answer keeps out one that somebody has read before and is about to put. Returns the places
# of the answers that are to be refreshed.
_OUTDATE = """
local asked = {}
for place, key in ipairs(KEYS) do
  local sequence, valid_until = string.match(redis.call('GET', key) or '0 0 ', '^(%d+) ([%d.]+)')
  if tonumber(sequence) < tonumber(ARGV[place]) then
    if tonumber(valid_until) > 0 then
      redis.call('PEXPIRE', key, 2000, 'LT')
      asked[#asked + 1] = place
    else
      redis.call('SET', key, ARGV[place] .. ' 0 ', 'PX', 60000)
    end
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
        """Let answers older than these sequences run out; return the places of those that were there, nothing if the cache is away."""
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
