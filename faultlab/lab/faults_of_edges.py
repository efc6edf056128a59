"""F7, F8, F16 to F18: the ways between processes, the cache, and the world outside."""

import asyncio
from random import Random

from redis import Redis

from faultlab.lab.damage import Damage
from faultlab.lab.provider import MOODS
from faultlab.lab.proxy import FAIR, Edge, Mode, Weather

_ASKED_BY_TILLS = ("order", "customer", "loyalty")
_CUTS = (Mode.RESET, Mode.BLACK_HOLE, Mode.NOTHING_THERE, Mode.NOTHING_BACK)


async def cut_an_edge(damage: Damage, dice: Random) -> None:
    """One way between an instance and what it needs; now and then it flaps."""
    edge, weather, flaps = _any_edge(damage, dice), Weather(dice.choice(_CUTS)), dice.random() < 0.3
    async with damage.alone_with(edge.name):
        for _ in range(3 if flaps else 1):
            seconds = 1.0 if flaps else dice.uniform(1, 9)
            damage.note("F7", f"{edge.name}: {weather.mode} for {seconds:.0f} s")
            await _while(edge, weather, seconds)
            await asyncio.sleep(1.0 if flaps else 0.0)


async def slow_an_edge(damage: Damage, dice: Random) -> None:
    """Two tenths of a second more for each piece, or a line of 64 kbit/s."""
    edge, weather, seconds = _any_edge(damage, dice), Weather(dice.choice([Mode.DELAY, Mode.RATE])), dice.uniform(3, 10)
    async with damage.alone_with(edge.name):
        damage.note("F8", f"{edge.name}: {weather.mode} for {seconds:.0f} s")
        await _while(edge, weather, seconds)


async def lose_answers(damage: Damage, dice: Random) -> None:
    """One in five answers to tills is lost after the command was carried out."""
    edges = sorted(damage.installation.edges.items())
    asked = [edge for (member, to), edge in edges if to == "api" and member.startswith(_ASKED_BY_TILLS)]
    edge, seconds = dice.choice(asked), dice.uniform(4, 9)
    async with damage.alone_with(edge.name):
        damage.note("F17", f"{edge.name}: answers get lost for {seconds:.0f} s")
        await _while(edge, Weather(Mode.DROP_ANSWER, chance=0.2), seconds)


async def vex_the_gateway(damage: Damage, dice: Random) -> None:
    """Three in ten messages meet an error, or are taken by a gateway that hangs up or takes its time."""
    provider, mood, seconds = damage.installation.provider, dice.choice(MOODS[1:]), dice.uniform(3, 9)
    async with damage.alone_with("provider"):
        damage.note("F18", f"the gateway {mood} for {seconds:.0f} s")
        provider.mood = mood
        await asyncio.sleep(seconds)
        provider.mood = "well"


async def lose_the_cache(damage: Damage, dice: Random) -> None:
    """Valkey is emptied, or killed and started empty."""
    part = damage.installation.parts.valkey_part
    kills, pause = dice.random() < 0.5, dice.uniform(0, 2)
    async with damage.alone_with(part.name):
        damage.note("F16", "kills valkey" if kills else "empties valkey")
        if kills:
            await asyncio.to_thread(part.kill)
            await asyncio.sleep(pause)
            await asyncio.to_thread(part.start)
        else:
            with Redis.from_url(part.address) as client:
                await asyncio.to_thread(client.flushall)


async def _while(edge: Edge, weather: Weather, seconds: float) -> None:
    edge.become(weather)
    await asyncio.sleep(seconds)
    edge.become(FAIR)


def _any_edge(damage: Damage, dice: Random) -> Edge:
    inner = [edge for (_, to), edge in sorted(damage.installation.edges.items()) if to != "api"]
    return dice.choice(inner)
