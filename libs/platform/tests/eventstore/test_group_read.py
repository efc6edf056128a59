"""Aggregates read for many callers at once, without a database."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from till_platform.eventstore.group_read import AT_ONCE, READERS, GroupRead

from .things import Parcel


class Shelf:
    """What is read from; it can be held shut, so that callers queue up."""

    def __init__(self):
        self.asked = []
        self.open = threading.Event()
        self.open.set()
        self.broken = {}

    def read(self, streams):
        self.asked.append(sorted(streams))
        assert self.open.wait(10)
        for stream in streams:
            if stream in self.broken:
                raise self.broken[stream]
        return {stream: cls(stream) for stream, cls in streams.items()}


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def reads(shelf):
    with ThreadPoolExecutor(4) as threads:
        yield GroupRead(shelf.read, threads)


async def queued(reads, shelf, streams):
    """Ask while all readers are busy; return what came of it, and which queries."""
    shelf.open.clear()
    busy = []
    for number in range(READERS):
        busy.append(asyncio.create_task(reads.load(Parcel, f"busy-{number}")))
        async with asyncio.timeout(10):
            while len(shelf.asked) <= number:  # noqa: ASYNC110 - a thread tells nobody
                await asyncio.sleep(0.001)
    asking = [asyncio.create_task(reads.load(Parcel, stream)) for stream in streams]
    await asyncio.sleep(0)
    shelf.open.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    await asyncio.gather(*busy)
    return found, shelf.asked[READERS:]


async def test_who_comes_while_others_are_read_is_read_together(reads, shelf):
    streams = [f"s-{number}" for number in range(AT_ONCE + 1)]
    found, queries = await queued(reads, shelf, streams)
    assert [one.id for one in found] == streams
    assert sorted(map(len, queries)) == [1, AT_ONCE]


async def test_two_who_want_the_same_each_get_one_of_their_own(reads, shelf):
    (first, second), queries = await queued(reads, shelf, ["s", "s"])
    assert (first.id, second.id) == ("s", "s")
    assert first is not second
    assert queries == [["s"], ["s"]]


async def test_what_cannot_be_read_fails_alone(reads, shelf):
    shelf.broken = {"bad": ValueError("an event nobody can read")}
    (good, bad, fine), _ = await queued(reads, shelf, ["good", "bad", "fine"])
    assert (good.id, fine.id) == ("good", "fine")
    assert isinstance(bad, ValueError)


async def test_while_the_database_is_away_all_are_told_after_one_attempt(reads, shelf):
    shelf.broken = {"a": psycopg.OperationalError("away")}
    found, queries = await queued(reads, shelf, ["a", "b", "c"])
    assert [type(one) for one in found] == [psycopg.OperationalError] * 3
    assert queries == [["a", "b", "c"]]


async def test_who_does_not_wait_any_more_holds_up_nobody(reads, shelf):
    shelf.open.clear()
    gone = asyncio.create_task(reads.load(Parcel, "gone"))
    await asyncio.sleep(0.01)
    gone.cancel()
    shelf.open.set()
    assert (await reads.load(Parcel, "here")).id == "here"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_whenever_somebody_comes_somebody_reads(reads):
    """Readers end when nobody waits: who comes at that very moment must not be forgotten."""
    for _ in range(300):
        async with asyncio.timeout(10):
            await asyncio.gather(*(reads.load(Parcel, f"s-{number}") for number in range(3)))
