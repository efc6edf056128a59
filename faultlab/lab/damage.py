"""What a nemesis may lay hands on, and what it has done that the oracle must know of."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from random import Random

import psycopg
from psycopg import sql

from faultlab.lab.history import History
from faultlab.lab.installation import NAMESPACE, SERVICES, Installation
from faultlab.lab.member import Member

Fault = Callable[["Damage", Random], Awaitable[None]]
"""Strikes, and mends what it broke before it returns; what the seed decides comes from the dice it is given."""


class Damage:
    """The installation under attack."""

    def __init__(self, installation: Installation, history: History, tell: Callable[[str], None]) -> None:
        self.installation = installation
        self.wiped: set[str] = set()
        self.rewound: set[str] = set()
        self.rubbish: list[tuple[str, bytes]] = []
        self.happened: defaultdict[str, int] = defaultdict(int)
        self.timeline: list[tuple[float, str, str]] = []
        self._began = asyncio.get_running_loop().time()
        self._history = history
        self._tell = tell
        self._hands: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def alone_with(self, part: str) -> asyncio.Lock:
        """Return what lets one fault at a time take a part down or bring it up."""
        return self._hands[part]

    def note(self, fault: str, what: str) -> None:
        """Keep in the history and the timeline what is done to whom."""
        self.happened[fault] += 1
        when = round(asyncio.get_running_loop().time() - self._began, 1)
        self.timeline.append((when, fault, what))
        self._tell(f"  {when:6.1f} {fault:4} {what}")
        self._history.noted("fault", fault=fault, told=what)

    def any_member(self, dice: Random) -> Member:
        """Return the instance that the dice choose."""
        return dice.choice(self.members)

    @property
    def members(self) -> list[Member]:
        """All instances, always in the same order."""
        return sorted(self.installation.members.values(), key=lambda member: member.name)

    async def as_administrator(self, service: str, *statements: str) -> None:
        """Change a service's database behind its back, unseen by what watches its checkpoints."""
        address = self.installation.parts.postgres_part.dsn("postgres", service)

        def change() -> None:
            with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
                connection.execute("SET session_replication_role = replica")
                for statement in statements:
                    connection.execute(sql.SQL(statement))

        await asyncio.to_thread(change)

    def topic_without(self, taboo: set[str], dice: Random) -> str | None:
        """Return a service whose topic is none of these, if one is left."""
        left = [service for service in SERVICES if service not in taboo]
        return dice.choice(left) if left else None


def topic_of(service: str) -> str:
    """Return a service's topic in the lab."""
    return f"{NAMESPACE}.{service}"
