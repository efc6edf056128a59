"""The till's question answered in a moment: from the cache, and from the read models where the cache knows nothing.

The cache may be flushed, frozen or gone at any time: all it costs is speed. What a card can pay is decided by the log alone.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from psycopg import Connection
from redis.exceptions import RedisError

from till_loyalty.projections.accounts import EVENTS_OF_AN_ACCOUNT, cards_of
from till_loyalty.projections.answers import Answer, answer_for, answers_for
from till_platform.batch import Batch
from till_platform.parts import Parts

_log = structlog.get_logger(__name__)

LONGEST_MS = 600_000
"""How long an answer is kept at most: how far it can be behind if a refresh was lost."""

_PAUSE = 1.0
"""Seconds for which a cache that failed is not asked again: a frozen one must not slow every till down."""

# Entries are `<sequence> <valid until, epoch seconds> <JSON>`. One with an older sequence never takes the place of a newer one, whoever
# comes last. Keys first, then for each of them three arguments: sequence, entry, milliseconds to keep it.
_PUT = """
for place, key in ipairs(KEYS) do
  local there = redis.call('GET', key)
  local sequence = ARGV[place * 3 - 2]
  if not there or tonumber(string.match(there, '^%d+')) <= tonumber(sequence) then
    redis.call('SET', key, ARGV[place * 3 - 1], 'PX', ARGV[place * 3])
  end
end
"""

# Accounts moved on: answers from before are worth nothing now, nor is one that somebody has read and is about to put. What is left is an
# entry without an answer. Returns the places of those that somebody had asked about, so that only they are refreshed.
_OUTDATE = """
local asked = {}
for place, key in ipairs(KEYS) do
  local there = redis.call('GET', key)
  local sequence, valid_until = string.match(there or '0 0 ', '^(%d+) ([%d.]+)')
  if tonumber(sequence) < tonumber(ARGV[place]) then
    redis.call('SET', key, ARGV[place] .. ' 0 ', 'PX', 60000)
    if tonumber(valid_until) > 0 then asked[#asked + 1] = place end
  end
end
return asked
"""


class TillAnswers:
    """Answers about cards. Those that tills ask about are kept fresh after every batch of the worker."""

    def __init__(self) -> None:
        self._missed: set[str] = set()
        self._asked_again_at = 0.0

    async def about(self, card_number: str, parts: Parts) -> bytes | None:
        """Return what a till is told about a card, as JSON; nothing if nobody was given that number."""
        now = parts.clock.now()
        cached = await self._cached(card_number, parts)
        if cached is not None:
            _, valid_until, body = cached.split(b" ", 2)
            if now.timestamp() < float(valid_until):
                return body
        answer = await parts.reads.run(lambda connection: answer_for(connection, card_number, now))
        if answer is None:
            return None
        await self._put([answer], parts, now)
        return answer.body

    async def committed(self, batch: Batch, parts: Parts) -> None:
        """Refresh the answers about the accounts that a batch touched, and those an earlier refresh missed."""
        touched = {fact.event.account_id for fact in batch.only(EVENTS_OF_AN_ACCOUNT)} | self._missed
        if touched:
            self._missed = set() if await self._refresh(sorted(touched), parts) else touched

    async def _refresh(self, account_ids: Sequence[str], parts: Parts) -> bool:
        cards = await parts.reads.run(lambda connection: cards_of(connection, account_ids))
        keys = [_key(parts, number) for number, _, _ in cards]
        asked = await self._run(_OUTDATE, keys, [sequence for _, _, sequence in cards], parts)
        if asked is None:
            return False
        if not asked:
            return True
        now = parts.clock.now()
        wanted = [cards[place - 1][1] for place in asked]

        def read(connection: Connection[Any]) -> list[Answer]:
            return answers_for(connection, wanted, now)

        return await self._put(await parts.reads.run(read), parts, now)

    async def _cached(self, card_number: str, parts: Parts) -> bytes | None:
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            cached = await parts.cache.get(_key(parts, card_number))
        except RedisError as error:
            self._fail(error)
            return None
        return cached if isinstance(cached, bytes) else None

    async def _put(self, answers: Sequence[Answer], parts: Parts, now: datetime) -> bool:
        keys = [_key(parts, answer.card_number) for answer in answers]
        arguments: list[int | bytes] = []
        for answer in answers:
            lifetime = min(LONGEST_MS, int((answer.valid_until - now).total_seconds() * 1000) + 1)
            arguments += [answer.sequence, _entry(answer), lifetime]
        return await self._run(_PUT, keys, arguments, parts) is not None

    async def _run(
        self, script: str, keys: Sequence[str], arguments: Sequence[int | bytes], parts: Parts
    ) -> list[int] | None:
        """Run a script on the cache; return what it answers, nothing if there was no answer."""
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            answer: Any = await parts.cache.eval(script, len(keys), *keys, *arguments)
        except RedisError as error:
            self._fail(error)
            return None
        return answer or []

    def _fail(self, error: RedisError) -> None:
        _log.warning("cache_away", error=type(error).__name__)
        self._asked_again_at = time.monotonic() + _PAUSE


def _key(parts: Parts, card_number: str) -> str:
    return f"{parts.settings.namespace}:loyalty:card:{card_number}"


def _entry(answer: Answer) -> bytes:
    return b"%d %.6f %s" % (answer.sequence, answer.valid_until.timestamp(), answer.body)
