"""What an instance is ordered to do to itself it does once, there and nowhere else; without an order all is as in production."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from faultlab.lab import inside
from faultlab.lab.inside import CLOCK, OF_EFFECTS, POINTS, SHUFFLED, SLOW, Point
from faultlab.lab.orders import Orders

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def orders(tmp_path):
    return Orders(tmp_path)


@pytest.fixture
def deaths(monkeypatch):
    died = []
    monkeypatch.setattr(inside.os, "kill", lambda pid, number: died.append(number))
    return died


def test_an_order_is_carried_out_by_one_who_takes_it(orders):
    orders.give("marked")
    assert orders.stands("marked") == 0.0
    assert [orders.take("marked"), orders.take("marked")] == [True, False]
    orders.give(SLOW, 0.05)
    assert orders.stands(SLOW) == 0.05
    orders.clear()
    assert orders.stands(SLOW) is None


@pytest.mark.parametrize("name", POINTS)
def test_every_point_is_a_place_in_production_code(name):
    point = POINTS[name]
    assert callable(getattr(point.owner, point.name))
    assert name in OF_EFFECTS or point.owner not in {inside.Log, inside.SenderLoop}


@pytest.mark.parametrize("after", [False, True])
async def test_who_is_ordered_to_die_at_a_point_dies_there_once(orders, deaths, after):
    seen = []
    owner = SimpleNamespace(plain=lambda: seen.append(len(deaths)))

    async def waited():
        seen.append(len(deaths))

    owner.waited = waited
    for name in ("plain", "waited"):
        trapped = inside._trapped(orders, "here", Point(owner, name, after=after))
        orders.give("here")
        for _ in range(2):
            result = trapped()
            if asyncio.iscoroutine(result):
                await result
    assert deaths == [signal.SIGKILL] * 2
    assert seen == ([0, 1, 1, 2] if after else [1, 1, 2, 2])


def test_nobody_dies_without_an_order_nor_where_it_does_not_matter(orders, deaths):
    owner = SimpleNamespace(save=lambda **_: None)
    trapped = inside._trapped(orders, "here", Point(owner, "save", after=True, matters=inside._of_an_effect))
    trapped(done=1)
    orders.give("here")
    trapped(done=None)
    assert deaths == []
    trapped(done=1)
    assert deaths == [signal.SIGKILL]


async def test_shuffled_batches_lose_nothing_and_keep_the_order_within_a_partition(orders):
    waiting = {f"p{number}": list(range(300)) for number in range(4)}

    async def getmany(_self, *, max_records):
        found = {}
        for partition, records in waiting.items():
            taken, waiting[partition] = records[:max_records], records[max_records:]
            found[partition] = taken
            max_records -= len(taken)
        return found

    orders.give(SHUFFLED)
    poll, read, firsts = inside._shuffled(orders, getmany), {}, set()
    while any(waiting.values()):
        polled = await poll(None, max_records=100)
        firsts.add(next(iter(polled)))
        for partition, records in polled.items():
            read.setdefault(partition, []).extend(records)
    assert read == {f"p{number}": list(range(300)) for number in range(4)}
    assert len(firsts) > 1


def test_a_slow_consumer_waits_for_each_batch_while_it_is_told_to(orders, monkeypatch):
    slept = []
    monkeypatch.setattr(inside.time, "sleep", slept.append)
    take = inside._slowed(orders, lambda batch: batch)
    assert take(1) == 1
    orders.give(SLOW, 0.05)
    assert take(2) == 2
    assert slept == [0.05]


def test_a_wrong_clock_is_wrong_in_what_is_recorded_and_right_again_afterwards(orders):
    orders.give(CLOCK, 3_600)
    code = (
        f"from faultlab.lab.inside import obey; obey({str(orders.directory)!r})\n"
        "from datetime import UTC, datetime\n"
        "from till_platform.clock import SystemClock\n"
        "from till_platform.eventstore import append\n"
        "def off(): return [round((now - datetime.now(UTC)).total_seconds()) "
        "for now in (SystemClock().now(), append.datetime.now(UTC))]\n"
        "print(off())\n"
        f"import os; os.unlink({str(orders.directory / CLOCK)!r})\n"
        "print(off())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split("\n")[:2] == ["[3600, 3600]", "[0, 0]"]
