"""Events as they stand on the topics: the last ones, those since a moment, and those that come."""

import heapq
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from till_events.envelope import UnreadableEnvelope
from till_platform.settings import KafkaSettings
from tillstream.events.recorded import Recorded
from tillstream.topics import AT_ONCE, ends_of, open_topics, read_to

_DEEPER = 16
_POLL_MS = 500
_CLOCKS_DIFFER = timedelta(minutes=1)

Complain = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """Which events of which topics, recorded since when. `complain` is told of records that are no events of ours."""

    topics: Sequence[str]
    types: frozenset[str] | None = None
    since: datetime | None = None
    complain: Complain = field(default=lambda _: None)

    def among(self, records: Sequence[ConsumerRecord]) -> list[Recorded]:
        """Return the events that are wanted, in the order in which they were recorded."""
        found = []
        for record in records:
            try:
                event = Recorded.of_record(record)
            except UnreadableEnvelope as error:
                self.complain(f"{record.topic}/{record.partition}@{record.offset} is no event of ours: {error}")
                continue
            if (self.types is None or event.envelope.type in self.types) and (
                self.since is None or event.envelope.recorded_at >= self.since
            ):
                found.append(event)
        return sorted(found, key=_order)


async def tail(
    kafka: KafkaSettings, wanted: Wanted, *, last: int | None, follow: bool
) -> AsyncIterator[list[Recorded]]:
    """Yield the last so many events, or all of them if `last` is None; with `follow`, also those that come, until cancelled.

    The last ones come in the order in which they were recorded, whatever their topic. Of all, only those of one key are certain to.
    """
    async with open_topics(kafka, wanted.topics) as client:
        ends = await ends_of(client)
        if last is not None:
            yield await _last(client, wanted, ends, last)
        else:
            if wanted.since is not None:
                await _go_to(client, wanted.since, ends)
            async for polled in read_to(client, ends):
                yield wanted.among(_flat(polled))
        while follow:
            yield wanted.among(_flat(await client.getmany(timeout_ms=_POLL_MS, max_records=AT_ONCE)))


async def _last(
    client: AIOKafkaConsumer, wanted: Wanted, ends: Mapping[TopicPartition, int], count: int
) -> list[Recorded]:
    """Look further and further back until there are enough; leave the client at the ends."""
    starts = await client.beginning_offsets(list(ends))
    depth = max(count, 1)
    while True:
        for partition, end in ends.items():
            client.seek(partition, max(starts[partition], end - depth))
        found: list[Recorded] = []
        async for polled in read_to(client, ends):
            found = heapq.nlargest(count, [*found, *wanted.among(_flat(polled))], key=_order)
        if len(found) == count or all(end - depth <= starts[partition] for partition, end in ends.items()):
            return sorted(found, key=_order)
        depth *= _DEEPER


async def _go_to(client: AIOKafkaConsumer, since: datetime, ends: Mapping[TopicPartition, int]) -> None:
    """Nothing is published before it is recorded, so Kafka's own times are good to start from; clocks may differ a little."""
    milliseconds = int((since - _CLOCKS_DIFFER).timestamp() * 1000)
    found = await client.offsets_for_times(dict.fromkeys(ends, milliseconds))
    for partition, place in found.items():
        client.seek(partition, place.offset if place else ends[partition])


def _flat(polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> list[ConsumerRecord]:
    return [record for records in polled.values() for record in records]


def _order(event: Recorded) -> tuple[datetime, str, int]:
    return event.envelope.recorded_at, event.envelope.source, event.envelope.position
