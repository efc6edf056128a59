"""The cache never goes back in time, whoever writes last."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from till_loyalty.projections.till_cache import NOTHING, TillCache
from till_platform.testing.infra import Infra

ERA = "era"

pytestmark = pytest.mark.integration


@pytest.fixture
async def valkey(infra: Infra) -> AsyncIterator[Redis]:
    async with Redis.from_url(infra.redis) as opened:
        await opened.flushall()
        yield opened


Entries = list[tuple[str, int, bytes, int]]


async def put(cache: TillCache, valkey: Redis, entries: Entries) -> bool:
    """Put entries that were read in the cache's present era."""
    await cache.get(valkey, "any")
    _, era = await cache.get(valkey, "any")
    return await cache.put(valkey, era, entries)


async def got(cache: TillCache, valkey: Redis, key: str) -> bytes | None:
    entry, _ = await cache.get(valkey, key)
    return entry


async def outdated(cache: TillCache, valkey: Redis, moved: list[tuple[str, int]]) -> list[int]:
    """Return the places of the answers that are to be refreshed."""
    told = await cache.outdate(valkey, moved)
    assert told
    places, _ = told
    return places


async def test_an_older_answer_never_takes_the_place_of_a_newer_one(valkey: Redis) -> None:
    cache = TillCache(ERA)
    assert await put(cache, valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await put(cache, valkey, [("k", 4, b"4 9 four", 60_000), ("other", 1, b"1 9 one", 60_000)])
    assert await got(cache, valkey, "k") == b"5 9 five"
    assert await got(cache, valkey, "other") == b"1 9 one"


async def test_an_answer_read_before_the_account_moved_on_comes_too_late(valkey: Redis) -> None:
    cache = TillCache(ERA)
    assert await outdated(cache, valkey, [("k", 6)]) == [], "nobody asked about it"
    await put(cache, valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await got(cache, valkey, "k") == b"6 0 "
    await put(cache, valkey, [("k", 6, b"6 9 six", 60_000)])
    assert await got(cache, valkey, "k") == b"6 9 six"


async def test_an_answer_that_is_to_be_refreshed_is_given_for_two_seconds_more_and_no_longer(valkey: Redis) -> None:
    cache = TillCache(ERA)
    await put(cache, valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await outdated(cache, valkey, [("k", 6)]) == [0]
    assert await got(cache, valkey, "k") == b"5 9 five"
    await put(cache, valkey, [("k", 5, b"5 9 five", 60_000)])
    assert await valkey.pttl("k") <= 2_000
    await put(cache, valkey, [("k", 6, b"6 9 six", 60_000)])
    assert await got(cache, valkey, "k") == b"6 9 six"


async def test_only_answers_that_somebody_asked_for_are_named_to_be_refreshed(valkey: Redis) -> None:
    cache = TillCache(ERA)
    await put(cache, valkey, [("asked", 1, b"1 9 one", 60_000)])
    assert await outdated(cache, valkey, [("never", 2), ("asked", 2)]) == [1]
    assert await outdated(cache, valkey, [("never", 3), ("asked", 1)]) == []


async def test_a_cache_that_is_gone_knows_nothing_and_is_left_alone(valkey: Redis) -> None:
    cache = TillCache(ERA)
    nowhere = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    assert await cache.get(nowhere, "k") == NOTHING
    assert await cache.put(valkey, b"now", [("k", 5, b"5 9 five", 60_000)]) is False, "left alone for a while"
    assert await cache.outdate(valkey, [("k", 5)]) is None
    await nowhere.aclose()


async def test_an_answer_read_before_the_cache_was_emptied_is_not_kept_after_it(valkey: Redis) -> None:
    """The account moved on in between, and the cache has forgotten that it did."""
    cache = TillCache(ERA)
    await outdated(cache, valkey, [("k", 4)])
    _, era = await cache.get(valkey, "k")
    await outdated(cache, valkey, [("k", 6)])
    await valkey.flushall()
    assert await cache.put(valkey, era, [("k", 5, b"5 9 five", 60_000)])
    assert await got(cache, valkey, "k") is None
    await put(cache, valkey, [("k", 6, b"6 9 six", 60_000)])
    assert await got(cache, valkey, "k") == b"6 9 six"


async def test_what_is_read_while_the_cache_is_empty_is_not_kept_and_what_is_read_next_is(valkey: Redis) -> None:
    cache = TillCache(ERA)
    first, second = [await cache.get(valkey, "k") for _ in range(2)]
    assert first == NOTHING
    assert await cache.put(valkey, first[1], [("k", 5, b"5 9 five", 60_000)])
    assert await got(cache, valkey, "k") is None
    assert await cache.put(valkey, second[1], [("k", 5, b"5 9 five", 60_000)])
    assert await got(cache, valkey, "k") == b"5 9 five"
