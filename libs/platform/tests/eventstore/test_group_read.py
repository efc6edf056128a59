"""Aggregates read for many callers at once, without a database."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from till_platform.eventstore.group_read import AT_ONCE, GroupRead

from .things import Parcel


class Shelf:
    """What is read from. A glance can be held up, so that callers queue; what is long or broken is only seen by whoever reads on."""

    def __init__(self):
        self.glanced, self.asked = [], []
        self.lit, self.open = asyncio.Event(), threading.Event()
        self.lit.set()
        self.open.set()
        self.long, self.broken, self.away = set(), {}, False

    async def glance(self, streams):
        self.glanced.append(sorted(streams))
        await self.lit.wait()
        if self.away or self.broken.keys() & streams.keys():
            raise psycopg.OperationalError("away")
        return {stream: cls(stream) for stream, cls in streams.items() if stream not in self.long}

    def read(self, streams):
        self.asked.append(sorted(streams))
        assert self.open.wait(10)
        if self.away:
            raise psycopg.OperationalError("away")
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
        yield GroupRead(shelf.glance, shelf.read, threads)


async def queued(reads, shelf, streams):
    """Ask while somebody else is read; return what came of it."""
    shelf.lit.clear()
    busy = asyncio.create_task(reads.load(Parcel, "busy"))
    await asyncio.sleep(0)
    asking = [asyncio.create_task(reads.load(Parcel, stream)) for stream in streams]
    await asyncio.sleep(0)
    shelf.lit.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    await busy
    return found


async def test_who_comes_while_others_are_read_is_read_together(reads, shelf):
    streams = [f"s-{number}" for number in range(AT_ONCE + 1)]
    found = await queued(reads, shelf, streams)
    assert [one.id for one in found] == streams
    assert [len(query) for query in shelf.glanced] == [1, AT_ONCE, 1]
    assert shelf.asked == [], "no thread had to be woken"


async def test_a_long_one_holds_up_nobody(reads, shelf):
    shelf.long = {"long"}
    shelf.open.clear()
    long = asyncio.create_task(reads.load(Parcel, "long"))
    await asyncio.sleep(0)
    assert (await reads.load(Parcel, "short")).id == "short"
    assert not long.done()
    shelf.open.set()
    assert (await long).id == "long"
    assert shelf.asked == [["long"]]


async def test_two_who_want_the_same_each_get_one_of_their_own(reads, shelf):
    first, second = await queued(reads, shelf, ["s", "s"])
    assert (first.id, second.id) == ("s", "s")
    assert first is not second
    assert shelf.glanced == [["busy"], ["s"], ["s"]]


async def test_what_cannot_be_read_fails_alone(reads, shelf):
    shelf.broken = {"bad": ValueError("an event nobody can read")}
    good, bad, fine = await queued(reads, shelf, ["good", "bad", "fine"])
    assert (good.id, fine.id) == ("good", "fine")
    assert isinstance(bad, ValueError)


async def test_while_the_database_is_away_all_are_told_after_one_attempt(reads, shelf):
    shelf.away = True
    asking = [reads.load(Parcel, stream) for stream in "abc"]
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [psycopg.OperationalError] * 3
    assert shelf.asked == [["a", "b", "c"]]


async def test_who_does_not_wait_any_more_holds_up_nobody(reads, shelf):
    shelf.lit.clear()
    gone = asyncio.create_task(reads.load(Parcel, "gone"))
    await asyncio.sleep(0.01)
    gone.cancel()
    shelf.lit.set()
    assert (await reads.load(Parcel, "here")).id == "here"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_whenever_somebody_comes_somebody_reads(reads):
    """Readers end when nobody waits: who comes at that very moment must not be forgotten."""
    for _ in range(300):
        async with asyncio.timeout(10):
            await asyncio.gather(*(reads.load(Parcel, f"s-{number}") for number in range(3)))
