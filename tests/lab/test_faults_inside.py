"""What is done inside an instance is ordered, noted when it happens, and withdrawn when it is over."""

import asyncio
from collections import defaultdict
from random import Random
from types import SimpleNamespace

import pytest
from faultlab.lab import faults_inside
from faultlab.lab.inside import CLOCK, OF_EFFECTS, POINTS
from faultlab.lab.orders import Orders


class Bystander:
    """Damage without an installation."""

    def __init__(self, tmp_path):
        names = ("order-1", "notification-1")
        self.members = [
            SimpleNamespace(
                name=name, service=name[:-2], orders=Orders(tmp_path / name), running=False, starts=0, kills=0
            )
            for name in names
        ]
        for member in self.members:
            member.start = lambda member=member: setattr(member, "starts", member.starts + 1)
        self.told = []
        self._hands = defaultdict(asyncio.Lock)

    def alone_with(self, part):
        return self._hands[part]

    def any_member(self, dice):
        return dice.choice(self.members)

    def note(self, fault, what):
        self.told.append((fault, what))


@pytest.fixture
def damage(tmp_path):
    return Bystander(tmp_path)


async def comes_by(damage):
    """Die at the first point that anybody is ordered to die at."""
    while True:
        for member in damage.members:
            for point in POINTS:
                if member.orders.take(point):
                    return member, point
        await asyncio.sleep(0.01)


async def test_who_died_at_a_point_is_noted_and_started_again(damage):
    seen = asyncio.create_task(comes_by(damage))
    await faults_inside.kill_at_a_point(damage, SimpleNamespace(choice=lambda of: of[0], uniform=lambda *_: 0.0))
    member, point = await seen
    assert damage.told == [("F2", f"{member.name} dies at {point}")]
    assert (member.starts, member.kills) == (1, 1)


async def test_an_order_to_die_is_withdrawn_from_who_does_not_come_by(damage, monkeypatch):
    monkeypatch.setattr(faults_inside, "COMES_BY_WITHIN", 0.1)
    await faults_inside.kill_at_a_point(damage, Random(1))
    assert damage.told == []
    assert all(member.orders.stands(point) is None for member in damage.members for point in POINTS)
    assert all(member.starts == 0 for member in damage.members)


async def test_only_who_sends_is_told_to_die_while_sending(damage, monkeypatch):
    monkeypatch.setattr(faults_inside, "COMES_BY_WITHIN", -1.0)
    ordered = []
    for member in damage.members:

        def give(point, member=member, real=member.orders.give):
            ordered.append((member.name, point))
            real(point)

        monkeypatch.setattr(member.orders, "give", give)
    for seed in range(100):
        await faults_inside.kill_at_a_point(damage, Random(seed))
    assert {name for name, point in ordered if point in OF_EFFECTS} == {"notification-1"}
    assert {point for _, point in ordered} == set(POINTS)


async def test_a_clock_is_right_again_afterwards(damage):
    during = []

    async def look():
        while not during:
            during.extend(filter(None, (member.orders.stands(CLOCK) for member in damage.members)))
            await asyncio.sleep(0.01)

    dice = SimpleNamespace(choice=lambda of: of[-1], uniform=lambda *_: 0.1)
    await asyncio.gather(faults_inside.turn_a_clock(damage, dice), look())
    assert during == [3_600.0]
    assert damage.told == [("F15", "notification-1 has a clock that is +3600 s off for 0 s")]
    assert all(member.orders.stands(CLOCK) is None for member in damage.members)
