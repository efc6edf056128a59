"""The SMS provider of the simulated chain: slow, sometimes silent, and it remembers every call."""

import asyncio
from dataclasses import dataclass

from faultlab.simulation.world import Process, World


class NoAnswer(Exception):
    """The provider did not answer. Whether it took the message is unknown."""


@dataclass(slots=True)
class Call:
    """One call for one message: from when to when it was under way, and who made it."""

    caller: Process
    began: float
    ended: float | None = None
    answered: bool = False


class Provider:
    """Takes messages by key; a repeat under the same key is no second message."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.silence = 0.1
        self.most_silences = 3
        """So often at most for one message: another try comes after 2, 4, 8 seconds, and who is at rest has none before him."""
        self.calls: dict[str, list[Call]] = {}
        self.effects: dict[str, int] = {}
        self.accepted: list[str] = []

    async def take(self, key: str, effect: int) -> None:
        """Accept a message; raise `NoAnswer` if the answer got lost."""
        caller = asyncio.get_running_loop()
        assert isinstance(caller, Process)
        call = Call(caller, self.world.now)
        self.calls.setdefault(key, []).append(call)
        self.effects[key] = effect
        await asyncio.sleep(self.world.between(0.0, 0.3))
        silence = self.silence if len(self.calls[key]) <= self.most_silences else 0.0
        if key not in self.accepted and not self.world.chance(silence / 2):
            self.accepted.append(key)
        lost = key not in self.accepted or self.world.chance(silence)
        await asyncio.sleep(self.world.between(0.0, 0.3))
        call.ended = self.world.now
        if lost:
            raise NoAnswer(key)
        call.answered = True
