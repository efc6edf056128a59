"""The till's question answered in a moment: from the cache, and from the read models where the cache knows nothing.

The cache costs nothing but speed when it is gone. What a card can pay is decided by the log alone.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog

from till_loyalty.projections.accounts import EVENTS_OF_AN_ACCOUNT, cards_of
from till_loyalty.projections.answers import Answer, answer_for, answers_for
from till_loyalty.projections.till_cache import TillCache
from till_platform.batch import Batch
from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.parts import Parts

LONGEST_MS = 600_000
"""How long an answer is kept at most: how far it can be behind if a refresh was lost together with the worker that owed it."""
TRIED_AGAIN_SECONDS = 0.5
AT_ONCE = 500
"""So many accounts are made up for at a time: asked about too many, a cache would not answer soon enough, ever."""
_log = structlog.get_logger(__name__)


class TillAnswers:
    """Answers about cards. Those that tills ask about are kept fresh after every batch of the worker."""

    def __init__(self) -> None:
        self._cache: TillCache | None = None
        self._missed: set[str] = set()
        self._catching_up: asyncio.Task[None] | None = None

    async def about(self, card_number: str, parts: Parts) -> bytes | None:
        """Return what a till is told about a card, as JSON; nothing if nobody was given that number."""
        now = parts.clock.now()
        cached, era = await self._cache_of(parts).get(parts.cache, _key(parts, card_number))
        if cached is not None:
            _, valid_until, body = cached.split(b" ", 2)
            if now.timestamp() < float(valid_until):
                return body
        answer = await parts.reads.run(lambda connection: answer_for(connection, card_number, now))
        if answer is None:
            return None
        await self._put([answer], era, parts, now)
        return answer.body

    async def committed(self, batch: Batch, parts: Parts) -> None:
        """Refresh the answers about the accounts that a batch touched. What a cache that is away missed is made up for when it is back."""
        touched = {fact.event.account_id for fact in batch.only(EVENTS_OF_AN_ACCOUNT)}
        if touched and not await self._refresh(sorted(touched), parts):
            self._missed |= touched
            if self._catching_up is None or self._catching_up.done():
                self._catching_up = asyncio.create_task(self._catch_up(parts))

    async def _catch_up(self, parts: Parts) -> None:
        """Try until the cache takes it: it may come back with answers that were true when it went, and no other event may come."""
        while self._missed:
            missed = [self._missed.pop() for _ in range(min(AT_ONCE, len(self._missed)))]
            if not await self._refresh(missed, parts):
                self._missed.update(missed)
                await asyncio.sleep(TRIED_AGAIN_SECONDS)

    async def _refresh(self, account_ids: Sequence[str], parts: Parts) -> bool:
        """Return whether it was done; not if the cache is away, or the database."""
        try:
            return await self._refresh_now(account_ids, parts)
        except DATABASE_AWAY as error:
            _log.warning("answers_not_refreshed", error=type(error).__name__, count=len(account_ids))
            return False

    async def _refresh_now(self, account_ids: Sequence[str], parts: Parts) -> bool:
        cards = await parts.reads.run(lambda connection: cards_of(connection, account_ids))
        moved = [(_key(parts, number), sequence) for number, _, sequence in cards]
        outdated = await self._cache_of(parts).outdate(parts.cache, moved)
        if outdated is None:
            return False
        asked, era = outdated
        if not asked:
            return True
        now = parts.clock.now()
        wanted = [cards[place][1] for place in asked]
        answers = await parts.reads.run(lambda connection: answers_for(connection, wanted, now))
        return await self._put(answers, era, parts, now)

    async def _put(self, answers: Sequence[Answer], era: bytes | None, parts: Parts, now: datetime) -> bool:
        entries = [
            (_key(parts, answer.card_number), answer.sequence, _entry(answer), _kept(answer, now)) for answer in answers
        ]
        return await self._cache_of(parts).put(parts.cache, era, entries)

    def _cache_of(self, parts: Parts) -> TillCache:
        """Only the parts tell to which installation a service belongs."""
        if self._cache is None:
            self._cache = TillCache(f"{parts.settings.namespace}:loyalty:era")
        return self._cache


def _key(parts: Parts, card_number: str) -> str:
    return f"{parts.settings.namespace}:loyalty:card:{card_number}"


def _entry(answer: Answer) -> bytes:
    return b"%d %.6f %s" % (answer.sequence, answer.valid_until.timestamp(), answer.body)


def _kept(answer: Answer, now: datetime) -> int:
    return min(LONGEST_MS, int((answer.valid_until - now).total_seconds() * 1000) + 1)
