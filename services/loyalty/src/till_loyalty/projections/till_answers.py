"""The till's question answered in a moment: from the cache, and from the read models where the cache knows nothing.

The cache may be flushed, frozen or gone at any time: all it costs is speed. What a card can pay is decided by the log alone.
"""

import time
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from till_loyalty.projections.accounts import EVENTS_OF_AN_ACCOUNT
from till_loyalty.projections.answers import Answer, answer_for, answers_for
from till_platform.batch import Batch
from till_platform.parts import Parts

_log = structlog.get_logger(__name__)

LONGEST = 600.0
"""Seconds an answer is kept at most: how long it can be behind if a refresh was lost."""

_PAUSE = 1.0
"""Seconds for which a cache that failed is not asked again: a frozen one must not slow every till down."""

# An answer older than the one that is there never takes its place, whoever comes last.
_PUT = """
local there = redis.call('GET', KEYS[1])
if there and tonumber(string.match(there, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class TillAnswers:
    """Answers about cards, kept as `<sequence> <valid until, epoch seconds> <JSON>` and refreshed after each batch of the worker."""

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
        if not touched:
            return
        now = parts.clock.now()
        answers = await parts.reads.run(lambda connection: answers_for(connection, sorted(touched), now))
        self._missed = set() if await self._put(answers, parts, now) else touched

    async def _cached(self, card_number: str, parts: Parts) -> bytes | None:
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            cached = await parts.cache.get(_key(parts, card_number))
        except RedisError as error:
            self._fail(error)
            return None
        return cached if isinstance(cached, bytes) else None

    async def _put(self, answers: list[Answer], parts: Parts, now: datetime) -> bool:
        if time.monotonic() < self._asked_again_at:
            return False
        try:
            async with parts.cache.pipeline(transaction=False) as pipe:
                for answer in answers:
                    lifetime = min(LONGEST, (answer.valid_until - now).total_seconds())
                    pipe.eval(
                        _PUT,
                        1,
                        _key(parts, answer.card_number),
                        answer.sequence,
                        _packed(answer),
                        int(lifetime * 1000) + 1,
                    )
                await pipe.execute()
        except RedisError as error:
            self._fail(error)
            return False
        return True

    def _fail(self, error: RedisError) -> None:
        _log.warning("cache_away", error=type(error).__name__)
        self._asked_again_at = time.monotonic() + _PAUSE


def _key(parts: Parts, card_number: str) -> str:
    return f"{parts.settings.namespace}:loyalty:card:{card_number}"


def _packed(answer: Answer) -> bytes:
    return b"%d %.6f %s" % (answer.sequence, answer.valid_until.timestamp(), answer.body)
