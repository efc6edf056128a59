"""F2, F9, F11, F13, F15: a death at a named point, a full disk, records in another order, a slow worker, a wrong clock."""

import asyncio
from random import Random

from faultlab.lab.damage import Damage
from faultlab.lab.faults_of_processes import start_again
from faultlab.lab.inside import CLOCK, OF_EFFECTS, POINTS, SHUFFLED, SLOW
from faultlab.lab.member import Member

COMES_BY_WITHIN = 8.0


async def kill_at_a_point(damage: Damage, dice: Random) -> None:
    """An instance dies where it hurts most: written and not committed, committed and not told, done outside and not recorded."""
    point, pause = dice.choice(sorted(POINTS)), dice.uniform(0, 3)
    members = [
        member
        for member in damage.members
        if member.service in {"notification", *(() if point in OF_EFFECTS else (member.service,))}
    ]
    member = dice.choice(members)
    async with damage.alone_with(member.name):
        member.orders.give(point)
        until = asyncio.get_running_loop().time() + COMES_BY_WITHIN
        while member.orders.stands(point) is not None:
            if asyncio.get_running_loop().time() > until and member.orders.take(point):
                return  # it stands by, or has nothing to do
            await asyncio.sleep(0.05)
        damage.note("F2", f"{member.name} dies at {point}")
        member.kills += 1
        await asyncio.sleep(pause)
        await start_again(member)


async def fill_a_disk(damage: Damage, dice: Random) -> None:
    """That of PostgreSQL, of Kafka, or the one instances log to."""
    volume, seconds = dice.choice(damage.installation.volumes), dice.uniform(4, 10)
    part = {part.name: part for part in damage.installation.parts.parts}.get(volume.name)
    async with damage.alone_with(volume.name):
        damage.note("F9", f"the disk of {volume.name} is full for {seconds:.0f} s")
        volume.fill()
        try:
            await asyncio.sleep(seconds)
        finally:
            volume.free()
        if part is not None and not part.running:
            await asyncio.to_thread(part.start)


async def shuffle(damage: Damage, dice: Random) -> None:
    """Batches end anywhere and partitions come in any order."""
    await _while(
        damage, "F11", damage.any_member(dice), SHUFFLED, 0.0, dice.uniform(5, 10), "takes batches as they fall"
    )


async def slow_a_consumer(damage: Damage, dice: Random) -> None:
    """A twentieth of a second more for each batch."""
    await _while(damage, "F13", damage.any_member(dice), SLOW, 0.05, dice.uniform(5, 10), "is slow")


async def turn_a_clock(damage: Damage, dice: Random) -> None:
    """An instance believes that it is up to an hour earlier or later."""
    wrong = dice.choice([-3_600.0, -90.0, 90.0, 3_600.0])
    await _while(
        damage,
        "F15",
        damage.any_member(dice),
        CLOCK,
        wrong,
        dice.uniform(5, 10),
        f"has a clock that is {wrong:+.0f} s off",
    )


async def _while(
    damage: Damage, fault: str, member: Member, order: str, measure: float, seconds: float, told: str
) -> None:
    async with damage.alone_with(f"{order} of {member.name}"):
        damage.note(fault, f"{member.name} {told} for {seconds:.0f} s")
        member.orders.give(order, measure)
        await asyncio.sleep(seconds)
        member.orders.take(order)
