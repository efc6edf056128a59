"""The cache never goes back in time, whoever writes last."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from till_loyalty.projections.till_cache import TillCache
from till_platform.testing.infra import Infra

pytestmark = pytest.mark.integration


@pytest.fixture
async def valkey(infra: Infra) -> AsyncIterator[Redis]:
    async with Redis.from_url(infra.redis) as opened:
        await opened.flushall()
        yield opened


async def test_an_older_answer_never_takes_the_place_of_a_newer_one(valkey: Redis) -> None:
    cache = TillCache()
    assert await cache.put(valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await cache.put(valkey, [("k", 4, b"4 9 four", 60_000), ("other", 1, b"1 9 one", 60_000)])
    assert await cache.get(valkey, "k") == b"5 9 five"
    assert await cache.get(valkey, "other") == b"1 9 one"


async def test_an_answer_read_before_the_account_moved_on_comes_too_late(valkey: Redis) -> None:
    cache = TillCache()
    assert await cache.outdate(valkey, [("k", 6)]) == [], "nobody asked about it"
    await cache.put(valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await cache.get(valkey, "k") == b"6 0 "
    await cache.put(valkey, [("k", 6, b"6 9 six", 60_000)])
    assert await cache.get(valkey, "k") == b"6 9 six"


async def test_an_answer_that_is_to_be_refreshed_is_given_for_two_seconds_more_and_no_longer(valkey: Redis) -> None:
    cache = TillCache()
    await cache.put(valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await cache.outdate(valkey, [("k", 6)]) == [0]
    assert await cache.get(valkey, "k") == b"5 9 five"
    await cache.put(valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await valkey.pttl("k") <= 2_000
    await cache.put(valkey, [("k", 6, b"6 9 six", 60_000)])
    assert await cache.get(valkey, "k") == b"6 9 six"


async def test_only_answers_that_somebody_asked_for_are_named_to_be_refreshed(valkey: Redis) -> None:
    cache = TillCache()
    await cache.put(valkey, [("asked", 1, b"1 9 one", 60_000)])
    assert await cache.outdate(valkey, [("never", 2), ("asked", 2)]) == [1]
    assert await cache.outdate(valkey, [("never", 3), ("asked", 1)]) == []


async def test_a_cache_that_is_gone_knows_nothing_and_is_left_alone(valkey: Redis) -> None:
    cache = TillCache()
    nowhere = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    assert await cache.get(nowhere, "k") is None
    assert await cache.put(valkey, [("k", 5, b"5 9 five", 60_000)]) is False, "left alone for a while"
    assert await cache.outdate(valkey, [("k", 5)]) is None
    await nowhere.aclose()
