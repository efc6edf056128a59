"""Starts again what ended by itself, as any supervisor would, and keeps it in mind: nothing may be stopped by a bug (I13)."""

import asyncio

from faultlab.lab.damage import Damage
from faultlab.lab.member import Member

EVERY_SECONDS = 0.5


class Supervisor:
    """Looks after every instance that no fault has in its hands."""

    def __init__(self, damage: Damage) -> None:
        self.ended: list[str] = []
        self._damage = damage

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            for member in self._damage.installation.members.values():
                hand = self._damage.alone_with(member.name)
                if not member.running and not hand.locked():
                    async with hand:
                        self._note(member)
                        await asyncio.to_thread(member.start)
            await asyncio.sleep(EVERY_SECONDS)

    def _note(self, member: Member) -> None:
        said = [line for line in member.process.log_since_start() if '"critical"' in line or "Error" in line]
        self.ended.append(f"{member.name} ended by itself: {said[-1][:500] if said else 'it did not say why'}")
