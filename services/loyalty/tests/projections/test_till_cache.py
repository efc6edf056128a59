import asyncio
from typing import Any

from redis.exceptions import ConnectionError as AwayError

from till_loyalty.projections.till_cache import TillCache

ERA = "era"


class Shelf:
    """A cache that counts how often it is asked."""

    def __init__(self, **entries: bytes) -> None:
        self.entries = {**entries, ERA: b"now"}
        self.asked = 0
        self.away = False

    async def mget(self, keys: list[str]) -> list[bytes | None]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise AwayError
        return [self.entries.get(key) for key in keys]


async def get(cache: TillCache, shelf: Any, *keys: str) -> list[bytes | None]:
    return [entry for entry, _ in await asyncio.gather(*(cache.get(shelf, key) for key in keys))]


async def test_a_rush_of_tills_asks_once() -> None:
    shelf = Shelf(a=b"1", b=b"2")
    assert await get(TillCache(ERA), shelf, "a", "b", "a", "c") == [b"1", b"2", b"1", None]
    assert shelf.asked == 1


async def test_who_comes_while_the_cache_is_being_asked_is_asked_for_next() -> None:
    shelf, cache = Shelf(a=b"1", b=b"2"), TillCache(ERA)
    first = asyncio.create_task(cache.get(shelf, "a"))  # type: ignore[arg-type]  # all of a cache that is used here
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.get(shelf, "b"))  # type: ignore[arg-type]
    assert (await first, await second) == ((b"1", b"now"), (b"2", b"now"))
    assert shelf.asked == 2


async def test_a_till_that_hangs_up_takes_no_other_with_it() -> None:
    shelf, cache = Shelf(a=b"1"), TillCache(ERA)
    impatient = asyncio.create_task(cache.get(shelf, "a"))  # type: ignore[arg-type]
    patient = asyncio.create_task(cache.get(shelf, "a"))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == (b"1", b"now")


async def test_a_cache_that_failed_is_left_alone_for_a_while() -> None:
    shelf, cache = Shelf(a=b"1"), TillCache(ERA)
    shelf.away = True
    assert await get(cache, shelf, "a") == [None]
    shelf.away = False
    assert await get(cache, shelf, "a", "a") == [None, None]
    assert shelf.asked == 1
