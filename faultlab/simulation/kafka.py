"""A model of Kafka as far as our code leans on it: partitions and their ends, and groups that move partitions about."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from faultlab.simulation.world import World

if TYPE_CHECKING:
    from faultlab.simulation.kafka_clients import Consumer

SESSION_TIMEOUT = 3.0
REBALANCE_TIMEOUT = 5.0
REPLICATION_LAG = 1.0
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a partition."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(slots=True)
class Partition:
    """One partition: what it holds begins at `start`, the next record gets `end`."""

    records: list[Record] = field(default_factory=list)
    start: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def append(self, key: bytes | None, value: bytes | None, headers: Headers) -> int:
        """Write a record and return its offset."""
        offset = self.end
        self.records.append(Record(offset, key, value, headers))
        return offset

    def delete_before(self, offset: int) -> None:
        """Delete the oldest records; offsets go on from where they were."""
        del self.records[: offset - self.start]
        self.start = offset

    def read(self, offset: int, most: int) -> list[Record]:
        """Return records from an offset on."""
        place = offset - self.start
        return self.records[place : place + most]


class Broker:
    """The cluster."""

    def __init__(self, world: World, partitions: int) -> None:
        self.world = world
        self.count = partitions
        self.topics: dict[str, list[Partition]] = {}
        self.groups: dict[str, Group] = {}
        self.away = False
        self.waiting: list[asyncio.Future[None]] = []
        self.unreplicated: list[tuple[float, TopicPartition, int]] = []
        """What only the leader had at first, with `acks=1`: since when, where, number of records."""

    def topic(self, name: str) -> list[Partition]:
        """Return a topic's partitions; it is made if there is none."""
        return self.topics.setdefault(name, [Partition() for _ in range(self.count)])

    def write(self, place: TopicPartition, batch: Sequence[tuple[bytes | None, bytes | None, Headers]]) -> int:
        """Append a batch and return the offset of its first record."""
        partition: Partition = self.topic(place.topic)[place.partition]
        first = partition.end
        for record in batch:
            partition.append(*record)
        self.wake()
        return first

    def wake(self) -> None:
        """Let those who wait for records look."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.get_loop().call_soon(done, future)

    def wipe(self, topic: str) -> None:
        """Lose a topic and make it anew, empty."""
        self.topics[topic] = [Partition() for _ in range(self.count)]
        self.wake()

    def lose_leader(self) -> None:
        """The leader dies; what it had not passed on yet is gone, acknowledged or not."""
        for since, place, records in reversed(self.unreplicated):
            if self.world.now - since < REPLICATION_LAG:
                del self.topic(place.topic)[place.partition].records[-records:]
        self.unreplicated.clear()

    def group(self, name: str) -> "Group":
        """Return a consumer group."""
        return self.groups.setdefault(name, Group(self, name))


def done(future: "asyncio.Future[None]") -> None:
    """Let whoever waits go on."""
    if not future.done():
        future.set_result(None)


class Group:
    """A consumer group: who is in it, and who has which partition. It knows nobody's death, only silence."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker = broker
        self.name = name
        self.generation = 0
        self.rebalances = 0
        self._members: list[Consumer] = []
        self._joined: set[Consumer] = set()
        self._rebalancing = False

    def join(self, member: "Consumer") -> None:
        """Take a member in: it has let go of its partitions, and waits for new ones."""
        if member not in self._members:
            self._members.append(member)
        if not self._rebalancing:
            self._begin()
        self._joined.add(member)
        self._maybe_assign()

    def leave(self, member: "Consumer") -> None:
        """A member was silent for too long, or said goodbye."""
        if member in self._members:
            self._members.remove(member)
            self._joined.discard(member)
            member.evicted = True
            self.broker.world.note(self.name, f"{member.name} is given up")
            self._begin()

    def has(self, member: "Consumer") -> bool:
        """Whether the coordinator counts this one as a member."""
        return member in self._members

    def shake(self) -> None:
        """Rebalance for no reason at all."""
        if self._members and not self._rebalancing:
            self._begin()

    def _begin(self) -> None:
        self._rebalancing = True
        self.rebalances += 1
        self._joined.clear()
        self.generation += 1
        for member in self._members:
            member.asked_to_rejoin(self.broker.world.between(0.0, 1.0))
        self.broker.world.after(REBALANCE_TIMEOUT, self._expire, self.generation)
        self._maybe_assign()

    def _expire(self, generation: int) -> None:
        if self._rebalancing and generation == self.generation:
            for member in [member for member in self._members if member not in self._joined]:
                self._members.remove(member)
                member.evicted = True
            self._maybe_assign()

    def _maybe_assign(self) -> None:
        if not self._rebalancing or any(member not in self._joined for member in self._members):
            return
        self._rebalancing = False
        members = sorted(self._members, key=lambda member: member.name)
        for place, member in enumerate(members):
            mine = [
                TopicPartition(topic, number)
                for topic in member.topics
                for number in range(self.broker.count)
                if number * len(members) // self.broker.count == place
            ]
            member.given(mine, self.generation)
