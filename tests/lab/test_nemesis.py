"""A seed says which faults strike, in which order and with which dice; a fault that comes to nothing stops nobody."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace

import pytest
from faultlab.lab import nemesis
from faultlab.lab.nemesis import FAULTS, Nemesis


class Bystander:
    """Damage that only keeps what was done."""

    def __init__(self, volumes=("disk",)):
        self.told = []
        self.installation = SimpleNamespace(volumes=volumes)

    def note(self, fault, what):
        self.told.append((fault, what))


@pytest.fixture
def struck(monkeypatch):
    """Let a seed strike for so many seconds, and return what it did."""
    monkeypatch.setattr(nemesis, "SECONDS_BETWEEN", (0.001, 0.005))
    done = defaultdict(list)

    def fault(name):
        async def strike(damage, dice):
            if name == "F6":
                raise ConnectionRefusedError
            damage.note(name, dice.random())

        return strike

    for name in FAULTS:
        monkeypatch.setitem(nemesis.FAULTS, name, fault(name))

    async def strike(seed, only=(), volumes=("disk",)):
        damage = Bystander(volumes)
        done[seed] = damage.told
        await Nemesis(damage, seed, only).rage(0.3)
        return damage.told

    return strike


async def test_a_seed_strikes_the_same_way_again_and_another_seed_otherwise(struck):
    first, again, other = await struck(1), await struck(1), await struck(2)
    shared = min(len(first), len(again), 20)
    assert shared == 20
    assert sorted(map(str, first[:shared])) == sorted(map(str, again[:shared]))
    assert first[:shared] != other[:shared]


async def test_only_the_faults_that_are_wanted_strike(struck):
    assert {fault for fault, _ in await struck(1, ("F1", "F5"))} == {"F1", "F5"}


async def test_no_disk_is_filled_where_none_may_be_mounted(struck):
    assert await struck(1, ("F9",), volumes=()) == []
    assert {fault for fault, _ in await struck(1, ("F9",))} == {"F9"}


async def test_a_fault_that_finds_nothing_left_to_break_is_noted_and_the_others_go_on(struck):
    told = await struck(3)
    assert ("F6", "came to nothing: ConnectionRefusedError") in told
    assert len({fault for fault, _ in told}) > 5


async def test_the_nemesis_waits_until_every_strike_has_mended_what_it_broke(monkeypatch):
    mended = []

    async def strike(damage, dice):
        await asyncio.sleep(0.2)
        mended.append(dice.random())

    monkeypatch.setattr(nemesis, "SECONDS_BETWEEN", (0.01, 0.02))
    monkeypatch.setitem(nemesis.FAULTS, "F1", strike)
    raging = Nemesis(Bystander(), 1, ("F1",))
    await raging.rage(0.1)
    assert len(mended) == raging._strikes > 0
