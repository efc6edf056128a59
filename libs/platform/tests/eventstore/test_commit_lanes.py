"""Who shares a small transaction with whom, without a database."""

import asyncio
from types import SimpleNamespace

import psycopg
import pytest

from till_platform.context import Context
from till_platform.eventstore.append import Commit
from till_platform.eventstore.at_once import APPEND, FEW
from till_platform.eventstore.commit_lanes import LANES, CommitLanes
from till_platform.eventstore.jobs import Job
from till_platform.eventstore.stored import LoggedEvent

from .things import paid_parcel


class Book:
    """Takes what is appended, one transaction at a time, and says so when it is told to."""

    def __init__(self):
        self.sizes, self.opened, self.finished, self.head = [], 0, 0, 0
        self.answers = asyncio.Semaphore(0)
        self.error = None

    async def connect(self):
        self.opened += 1
        return SimpleNamespace(closed=False, execute=self.execute, pgconn=SimpleNamespace(finish=self.finish))

    def finish(self):
        self.finished += 1

    async def execute(self, query, parameters=(), **_):
        if query != APPEND:
            return None
        amount = parameters[1].count(",") + 1
        self.sizes.append(amount)
        await self.answers.acquire()
        if self.error is not None:
            raise self.error
        self.head += amount
        head = self.head - amount

        async def rows():
            return [(head,)]

        return SimpleNamespace(fetchall=rows)

    def answer(self, times=1):
        for _ in range(times):
            self.answers.release()


@pytest.fixture
async def book():
    return Book()


@pytest.fixture
def refused():
    return []


@pytest.fixture
def lanes(book, refused):
    return CommitLanes(book.connect, refused=refused.extend, committed=lambda *_: None)


def hand_in(lanes, amount=1):
    waiter = asyncio.get_running_loop().create_future()
    events = [LoggedEvent.of(recorded) for _ in range(amount) for recorded in paid_parcel().collect_events()]
    lanes.submit(Job([Commit(events, Context(correlation_id="c"))], waiter))
    return waiter


async def settled(check):
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def test_those_who_wait_are_shared_out_between_the_lanes_and_all_are_answered(lanes, book):
    waiting = [hand_in(lanes) for _ in range(64)]
    await settled(lambda: len(book.sizes) == LANES)
    assert book.sizes == [32, 32], "one is written while the other stands behind it"
    book.answer(LANES)
    assert [(await one)[0] for one in waiting] == list(range(1, 65))


async def test_who_comes_alone_does_not_wait_for_others(lanes, book):
    first = hand_in(lanes)
    await settled(lambda: book.sizes == [1])
    second = hand_in(lanes)
    await settled(lambda: book.sizes == [1, 1])
    third = hand_in(lanes)
    await asyncio.sleep(0.01)
    assert book.sizes == [1, 1], "two are on their way, and no more"
    book.answer(3)
    assert [await first, await second, await third] == [[1], [2], [3]]
    assert book.opened == LANES


async def test_a_transaction_has_room_for_few_events_but_for_one_command_of_any_size(lanes, book):
    waiting = [hand_in(lanes, FEW - 1), *(hand_in(lanes, 2) for _ in range(3))]
    book.answer(4)
    await asyncio.gather(*waiting)
    assert sum(book.sizes) == FEW - 1 + 6
    assert max(book.sizes) == FEW - 1


async def test_whose_outcome_nobody_knows_is_told_so_and_the_next_one_gets_a_new_connection(lanes, book):
    lost = [hand_in(lanes), hand_in(lanes)]
    book.error = psycopg.OperationalError("gone")
    book.answer(2)
    for one in lost:
        with pytest.raises(psycopg.OperationalError):
            await one
    assert book.finished == LANES
    book.error = None
    book.answer()
    assert await hand_in(lanes) == [1]


async def test_what_cannot_be_stored_is_left_to_somebody_who_finds_out_which_it_is(lanes, book, refused):
    hand_in(lanes)
    book.error = psycopg.DataError("too long")
    book.answer()
    await settled(lambda: refused)
    assert len(refused) == 1
    assert book.finished == 0, "there is nothing wrong with the connection"


async def test_closing_waits_for_what_is_on_its_way(lanes, book):
    waiting = hand_in(lanes)
    await settled(lambda: book.sizes)
    idle = asyncio.create_task(lanes.idle())
    lanes.close()
    await asyncio.sleep(0)
    assert book.finished == 0
    book.answer()
    await idle
    assert waiting.done()
    assert book.finished == book.opened
