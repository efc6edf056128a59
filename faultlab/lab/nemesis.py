"""Who does the harm: a seed says which faults, in which order and how far apart, and every strike has dice of its own."""

import asyncio
from collections.abc import Collection
from random import Random

from faultlab.lab import faults_inside as inside
from faultlab.lab import faults_of_data as data
from faultlab.lab import faults_of_edges as edges
from faultlab.lab import faults_of_processes as processes
from faultlab.lab.damage import Damage, Fault

FAULTS: dict[str, Fault] = {
    "F1": processes.kill_a_member,
    "F2": inside.kill_at_a_point,
    "F3": processes.kill_kafka,
    "F4": processes.kill_postgres,
    "F5": processes.freeze_a_member,
    "F6": processes.freeze_a_part,
    "F7": edges.cut_an_edge,
    "F8": edges.slow_an_edge,
    "F9": inside.fill_a_disk,
    "F10": data.deliver_again,
    "F11": inside.shuffle,
    "F12": data.write_rubbish,
    "F13": inside.slow_a_consumer,
    "F14": processes.storm,
    "F15": inside.turn_a_clock,
    "F16": edges.lose_the_cache,
    "F17": edges.lose_answers,
    "F18": edges.vex_the_gateway,
    "F19": data.wipe,
}
"""F22 is all of them at once, which is what a run without a choice does."""
SECONDS_BETWEEN = (0.5, 4.0)


class Nemesis:
    """Strikes while it may; strikes may overlap."""

    def __init__(self, damage: Damage, seed: int, only: Collection[str] = ()) -> None:
        self._damage = damage
        self._seed = seed
        self._dice = Random(f"{seed} nemesis")
        possible = [name for name in FAULTS if name != "F9" or damage.installation.volumes]
        self._names = [name for name in possible if not only or name in only]
        self._strikes = 0

    async def rage(self, seconds: float) -> None:
        """Strike so long, and wait until every strike has mended what it broke."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        async with asyncio.TaskGroup() as group:
            while self._names:
                pause = self._dice.uniform(*SECONDS_BETWEEN)
                if loop.time() + pause > until:
                    return
                await asyncio.sleep(pause)
                group.create_task(self._strike(self._dice.choice(self._names)))

    async def _strike(self, name: str) -> None:
        self._strikes += 1
        dice = Random(f"{self._seed} strike {self._strikes}")
        try:
            await FAULTS[name](self._damage, dice)
        except Exception as error:  # noqa: BLE001 - what it wanted to break was broken already by another strike
            self._damage.note(name, f"came to nothing: {type(error).__name__}")

    async def heal(self) -> None:
        """Everything works again: edges, parts, instances. Who was set back is started anew, so that it notices at once."""
        installation = self._damage.installation
        installation.heal_edges()
        for volume in installation.volumes:
            await asyncio.to_thread(volume.free)
        installation.provider.mood = "well"
        for part in installation.parts.parts:
            await asyncio.to_thread(part.thaw)
            if not part.running:
                await asyncio.to_thread(part.start)
        for member in installation.members.values():
            async with self._damage.alone_with(member.name):
                member.thaw()
                member.orders.clear()
                if member.service in self._damage.rewound:
                    await asyncio.to_thread(member.kill)
                await asyncio.to_thread(member.start)
        self._damage.rewound.clear()
