"""F1, F3 to F6, F14: processes that are killed, end, or stand still."""

import asyncio
from random import Random

from faultlab.lab.damage import Damage
from faultlab.lab.installation import SERVICES
from faultlab.lab.member import Member
from till_platform.local.part import Part


async def kill_a_member(damage: Damage, dice: Random) -> None:
    """All of an instance, or its worker and relay only, and start it again after a while."""
    member, background, pause = damage.any_member(dice), dice.random() < 0.4, dice.uniform(0, 3)
    async with damage.alone_with(member.name):
        damage.note("F1", f"kills {'worker and relay of ' if background else ''}{member.name}")
        await asyncio.to_thread(member.kill_background if background else member.kill)
        await asyncio.sleep(pause)
        await start_again(member)


async def start_again(member: Member) -> None:
    """Start it when all of it has ended."""
    for _ in range(100):  # an API whose worker is gone takes a moment to end
        if not member.running:
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(member.start)


async def kill_kafka(damage: Damage, dice: Random) -> None:
    """The broker, by force or in order."""
    await _restart(damage, "F3", damage.installation.parts.kafka_part, dice, in_order=dice.random() < 0.3)


async def kill_postgres(damage: Damage, dice: Random) -> None:
    """PostgreSQL with all its sessions, so that it has to recover; or a storm that ends sessions only."""
    if dice.random() < 0.5:
        service = dice.choice(SERVICES)
        for _ in range(3):
            damage.note("F4", f"ends all sessions of {service}")
            await damage.as_administrator(
                service,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            await asyncio.sleep(dice.uniform(0.1, 1.0))
    else:
        await _restart(damage, "F4", damage.installation.parts.postgres_part, dice)


async def _restart(damage: Damage, fault: str, part: Part, dice: Random, *, in_order: bool = False) -> None:
    pause = dice.uniform(0, 2)
    async with damage.alone_with(part.name):
        damage.note(fault, f"{'stops' if in_order else 'kills'} {part.name}")
        await asyncio.to_thread(part.stop if in_order else part.kill)
        await asyncio.sleep(pause)
        await asyncio.to_thread(part.start)


async def freeze_a_member(damage: Damage, dice: Random) -> None:
    """For less than its session with Kafka lasts, or for longer: then it is a zombie when it wakes."""
    member, seconds = damage.any_member(dice), dice.choice([2.0, 9.0, 12.0])
    async with damage.alone_with(member.name):
        damage.note("F5", f"freezes {member.name} for {seconds:.0f} s")
        member.freeze()
        await asyncio.sleep(seconds)
        member.thaw()


async def freeze_a_part(damage: Damage, dice: Random) -> None:
    """Kafka or PostgreSQL neither answers nor hangs up."""
    parts = damage.installation.parts
    part, seconds = dice.choice([parts.kafka_part, parts.postgres_part]), dice.uniform(2, 7)
    async with damage.alone_with(part.name):
        damage.note("F6", f"freezes {part.name} for {seconds:.0f} s")
        part.freeze()
        await asyncio.sleep(seconds)
        part.thaw()


async def storm(damage: Damage, dice: Random) -> None:
    """One worker of a group comes and goes, and partitions with it."""
    member = damage.installation.members[dice.choice(["order-2", "loyalty-2", "notification-2"])]
    async with damage.alone_with(member.name):
        for _ in range(3):
            damage.note("F14", f"ends and starts {member.name}")
            await asyncio.to_thread(member.kill)
            await asyncio.to_thread(member.start)
            await asyncio.sleep(dice.uniform(3, 5))
