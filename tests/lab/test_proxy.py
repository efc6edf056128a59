"""The proxy of an edge does to connections what its mode says, and nothing else."""

import asyncio
import contextlib
import time
from random import Random

import pytest
from faultlab.lab.proxy import FAIR, HOST, Edge, Mode, Weather

pytestmark = pytest.mark.timeout(30)


class Shop:
    """Answers every line with the same line, and keeps what it was told."""

    def __init__(self):
        self.told = []

    async def open(self):
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        try:
            while line := await reader.readline():
                self.told.append(line)
                writer.write(line)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def heard(self, line):
        async with asyncio.timeout(5):
            while line not in self.told:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)

    def close(self):
        self._server.close()


class Caller:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, edge):
        return cls(*await asyncio.open_connection(HOST, edge.port))

    def say(self, line):
        self.writer.write(line)

    async def hears(self, within=5.0):
        async with asyncio.timeout(within):
            return await self.reader.readline()

    async def hears_nothing(self, for_seconds=0.2):
        with pytest.raises(TimeoutError):
            await self.hears(for_seconds)

    async def is_reset(self):
        with pytest.raises(ConnectionResetError):
            await self.hears()


@pytest.fixture
async def shop():
    opened = Shop()
    await opened.open()
    yield opened
    opened.close()


@pytest.fixture
async def edge(shop):
    opened = Edge("till to shop", Random(1), lambda: shop.port)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def caller(edge):
    calling = await Caller.of(edge)
    calling.say(b"hello\n")
    assert await calling.hears() == b"hello\n"
    yield calling
    calling.writer.close()


async def test_an_edge_passes_everything_on_both_ways(shop, caller):
    caller.say(b"a\n" * 5_000)
    for _ in range(5_000):
        assert await caller.hears() == b"a\n"
    assert len(shop.told) == 5_001


async def test_an_edge_that_delays_lets_everything_through_later_and_in_order(edge, caller):
    edge.become(Weather(Mode.DELAY, seconds=0.1, jitter=0.0))
    began = time.monotonic()
    caller.say(b"one\n")
    caller.say(b"two\n")
    assert [await caller.hears(), await caller.hears()] == [b"one\n", b"two\n"]
    assert time.monotonic() - began >= 0.2


async def test_a_narrow_edge_takes_its_time(edge, caller):
    edge.become(Weather(Mode.RATE, rate=10_000))
    began = time.monotonic()
    caller.say(b"x" * 999 + b"\n")
    assert len(await caller.hears()) == 1_000
    assert time.monotonic() - began >= 0.2


async def test_a_reset_edge_resets_who_is_there_and_who_comes(edge, caller):
    edge.become(Weather(Mode.RESET))
    await caller.is_reset()
    late = await Caller.of(edge)
    late.say(b"again\n")
    await late.is_reset()
    late.writer.close()


async def test_in_a_black_hole_nothing_arrives_and_nobody_is_told_until_it_is_healed(shop, edge, caller):
    edge.become(Weather(Mode.BLACK_HOLE))
    caller.say(b"lost\n")
    await caller.hears_nothing()
    edge.become(FAIR)
    await caller.is_reset()
    assert b"lost\n" not in shop.told
    late = await Caller.of(edge)
    late.say(b"found\n")
    assert await late.hears() == b"found\n"
    late.writer.close()


async def test_on_a_one_way_edge_what_is_asked_waits_and_arrives_late(shop, edge, caller):
    edge.become(Weather(Mode.NOTHING_THERE))
    caller.say(b"late\n")
    await caller.hears_nothing()
    assert b"late\n" not in shop.told
    edge.become(FAIR)
    assert await caller.hears() == b"late\n"


async def test_on_the_other_one_way_edge_it_is_the_answer_that_waits(shop, edge, caller):
    edge.become(Weather(Mode.NOTHING_BACK))
    caller.say(b"done\n")
    await shop.heard(b"done\n")
    await caller.hears_nothing()
    edge.become(FAIR)
    assert await caller.hears() == b"done\n"


async def test_an_edge_that_drops_answers_does_so_after_the_request_was_acted_upon(shop, edge, caller):
    edge.become(Weather(Mode.DROP_ANSWER))
    caller.say(b"act\n")
    await caller.is_reset()
    assert b"act\n" in shop.told
    assert edge.dropped_answers == 1


async def test_of_many_answers_the_seed_says_which_are_dropped(shop, edge):
    edge.become(Weather(Mode.DROP_ANSWER, chance=0.3))
    for number in range(50):
        calling = await Caller.of(edge)
        calling.say(b"%d\n" % number)
        with contextlib.suppress(ConnectionResetError):
            await calling.hears()
        calling.writer.close()
    dice = Random(1)
    assert edge.dropped_answers == sum(dice.random() < 0.3 for _ in range(50))
    assert len(shop.told) == 50
