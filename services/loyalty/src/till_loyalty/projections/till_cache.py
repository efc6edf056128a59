"""Answers to the till's question in Valkey. May be flushed, frozen or gone at any time: then it knows nothing, and nobody waits for it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

_PAUSE = 1.0
"""Seconds for which a cache that failed is not asked again: a frozen one must not slow every till down."""

# A cache that is emptied forgets which answers are outdated, too. So it has an era, a word that goes with the rest: an answer that was
# read from the database in one era is not taken in the next. The last key and the last argument of each script.

Found = tuple[bytes | None, bytes | None]
"""What was found: an entry, and the era in which another one may take its place."""
NOTHING: Found = (None, None)

# Entries are `<sequence> <valid until, epoch seconds> <JSON>`. One with an older sequence never takes the place of a newer one, whoever
# comes last, nor prolongs the life of its equal. For each key there are three arguments: sequence, entry, milliseconds to keep it.
_PUT = """
if redis.call('GET', KEYS[#KEYS]) ~= ARGV[#ARGV] then
  return {}
end
for place = 1, #KEYS - 1 do
  local key = KEYS[place]
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
# of the answers that are to be refreshed, after the era.
_OUTDATE = """
redis.call('SET', KEYS[#KEYS], ARGV[#ARGV], 'NX')
local asked = {redis.call('GET', KEYS[#KEYS])}
for place = 1, #KEYS - 1 do
  local key = KEYS[place]
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

    def __init__(self, era_key: str) -> None:
        self._era_key = era_key
        self._waiting: dict[str, asyncio.Future[Found]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._asked_again_at = 0.0

    async def get(self, cache: Redis, key: str) -> Found:
        """Return the entry, nothing if there is none or the cache does not answer; and the era in which to put one in its place."""
        if self._is_away():
            return NOTHING
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read(cache))
        return await asyncio.shield(waiting)

    async def put(self, cache: Redis, era: bytes | None, entries: Sequence[tuple[str, int, bytes, int]]) -> bool:
        """Keep entries (key, sequence, entry, milliseconds) unless newer ones are there, or the era is over. False if the cache is away.

        Without an era nothing is kept: the cache was empty, or away, when the entries were about to be read.
        """
        if era is None:
            return True
        arguments: list[int | bytes] = []
        for _, sequence, entry, milliseconds in entries:
            arguments += (sequence, entry, milliseconds)
        return await self._run(cache, _PUT, [key for key, *_ in entries], [*arguments, era]) is not None

    async def outdate(self, cache: Redis, moved: Sequence[tuple[str, int]]) -> tuple[list[int], bytes] | None:
        """Let answers older than these sequences run out; return the places of those that were there and the era, nothing if away."""
        sequences = [sequence for _, sequence in moved]
        told = await self._run(cache, _OUTDATE, [key for key, _ in moved], [*sequences, _new_era()])
        if told is None:
            return None
        era, *asked = told
        return [place - 1 for place in asked], era

    async def _read(self, cache: Redis) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, {}
                found: Sequence[Any] = [None] * (len(waiting) + 1)
                try:
                    found = await cache.mget([*waiting, self._era_key])
                    if found[-1] is None:
                        await cache.set(self._era_key, _new_era(), nx=True)
                except RedisError as error:
                    self._fail(error)
                finally:
                    for place, answer in enumerate(waiting.values()):
                        answer.set_result((found[place], found[-1]))
        finally:
            self._reading = None

    async def _run(
        self, cache: Redis, script: str, keys: Sequence[str], arguments: Sequence[int | bytes]
    ) -> list[Any] | None:
        if self._is_away():
            return None
        try:
            answer: Any = await cache.eval(script, len(keys) + 1, *keys, self._era_key, *arguments)
        except RedisError as error:
            self._fail(error)
            return None
        return list(answer)

    def _is_away(self) -> bool:
        return time.monotonic() < self._asked_again_at

    def _fail(self, error: RedisError) -> None:
        _log.warning("cache_away", error=type(error).__name__)
        self._asked_again_at = time.monotonic() + _PAUSE


def _new_era() -> bytes:
    return uuid4().bytes
