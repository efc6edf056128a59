"""How far everything has come: what is recorded, what is published, what is taken. Read from the databases and from Kafka itself."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import psycopg
from aiokafka import TopicPartition

from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.topics import open_topics

_LOG = "SELECT log_head.position, coalesce((SELECT max(position) FROM relay_mark WHERE topic = %s), 0) FROM log_head"
_TAKEN = "SELECT topic, partition, next_offset FROM checkpoint"
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Standing:
    """Of each service, the events in its log and those published; of each consumer's partition, the records taken and there to take."""

    recorded: dict[str, int] = field(default_factory=dict)
    published: dict[str, int] = field(default_factory=dict)
    taken: dict[tuple[str, str, int], int] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def behind(self) -> int:
        """The number of steps still to be taken, by relays and consumers together."""
        unpublished = sum(self.recorded[name] - self.published[name] for name in self.recorded)
        untaken = sum(self.ends[topic, number] - offset for (_, topic, number), offset in self.taken.items())
        return unpublished + untaken

    @property
    def done(self) -> int:
        """The number of steps taken."""
        return sum(self.published.values()) + sum(self.taken.values())

    @property
    def laggards(self) -> list[str]:
        """Who is not where the others are, as sentences."""
        late = [
            f"{name} has {self.recorded[name] - position} events to publish"
            for name, position in self.published.items()
            if position < self.recorded[name]
        ]
        return late + [
            f"{name} has {self.ends[topic, number] - offset} records of {topic}/{number} to take"
            for (name, topic, number), offset in sorted(self.taken.items())
            if offset < self.ends[topic, number]
        ]


class Observer:
    """Looks at some services of a running stack as often as asked."""

    def __init__(self, attached: Attached, services: Sequence[str]) -> None:
        self._attached = attached
        self._databases = {name: psycopg.connect(attached.database(name), autocommit=True) for name in services}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._databases.values():
            connection.close()

    def look(self) -> Standing:
        """Return how far everything has come at this moment."""
        standing = Standing()
        for name, connection in self._databases.items():
            topic = self._attached.topic(name)
            standing.recorded[name], standing.published[name] = connection.execute(_LOG, [topic]).fetchone() or (0, 0)
            for topic, number, offset in connection.execute(_TAKEN):
                standing.taken[name, topic, number] = offset
        standing.ends.update(asyncio.run(self._ends({(topic, number) for _, topic, number in standing.taken})))
        return standing

    async def _ends(self, partitions: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
        async with open_topics(self._attached.kafka, []) as client:
            found = await client.end_offsets([TopicPartition(*partition) for partition in partitions])
        return {(partition.topic, partition.partition): end for partition, end in found.items()}


def standing_at_rest(
    attached: Attached,
    services: Sequence[str],
    *,
    patience_seconds: float,
    tell: Callable[[Standing], None] | None = None,
) -> Standing:
    """Return how far everything has come once nothing is behind, or once nothing has moved for as long as the patience lasts."""
    with Observer(attached, services) as observer:
        before = observer.look()
        moved_at = time.monotonic()
        while True:
            time.sleep(_POLL_SECONDS)
            now = observer.look()
            if tell:
                tell(now)
            if now.behind == 0 and now == before:
                return now
            if now.done != before.done:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > patience_seconds:
                return now
            before = now


def wait_until_caught_up(
    attached: Attached, *, patience_seconds: float = 900, tell: Callable[[Standing], None] | None = None
) -> Standing:
    """Wait until every event is published and taken by everyone; raise CommandFailed when nothing moves for too long."""
    standing = standing_at_rest(attached, attached.services, patience_seconds=patience_seconds, tell=tell)
    if standing.behind:
        raise CommandFailed(
            f"nothing has moved for {patience_seconds:.0f} s, {standing.behind} steps are left: {standing.laggards[0]}",
            "till status; till doctor",
            Exit.UNAVAILABLE,
        )
    return standing
