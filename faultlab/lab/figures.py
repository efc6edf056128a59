"""What workers count about themselves, summed over all their lives: each is asked every second, the last answer of a life counts."""

import asyncio
import re

from faultlab.lab.evidence import Evidence
from faultlab.lab.installation import Installation

_COUNTED = {
    "fenced": re.compile(r"^till_fenced_batches_total\{.*\} ([0-9.e+]+)$", re.MULTILINE),
    "dropped": re.compile(r'^till_duplicates_suppressed_total\{what="record"\} ([0-9.e+]+)$', re.MULTILINE),
}


class Figures:
    """Batches of zombies that were fenced, and records that were known already and dropped."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._seen: dict[tuple[str, int], dict[str, float]] = {}

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(1.0)

    async def look(self) -> None:
        """Ask every worker that can answer."""
        members = [member for member in self._installation.members.values() if not member.frozen]
        told = await asyncio.gather(*(asyncio.to_thread(member.figures) for member in members))
        for member, text in zip(members, told, strict=True):
            found = {name: pattern.findall(text) for name, pattern in _COUNTED.items()}
            if text and member.process.pid is not None:
                sums = {name: sum(map(float, values)) for name, values in found.items()}
                self._seen[member.name, member.process.pid] = sums

    def total(self, name: str) -> int:
        """Return the sum over all lives."""
        return int(sum(seen.get(name, 0) for seen in self._seen.values()))


def delivered_again(evidence: Evidence) -> int:
    """Return how many records stand on the topics that had been there before."""
    again = 0
    for records in (records for topic in evidence.topics.values() for records in topic):
        places = [record.position for record in records if record.position]
        again += len(places) - len(set(places))
    return again
