"""What a worker tells about itself: how far behind it is, and what it did."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from till_platform.telemetry import metrics
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.reading import Reading

FRESH_SECONDS = 10.0
"""So long we take it that a partition seen at its end is still there. A loop that has not turned for longer knows nothing."""


class Measures:
    """The gauges and counters of one consumer. Lag comes from the high watermark, never from offsets committed to Kafka.

    `projections` says of which topics each read model is built: it is as old as the one that is furthest behind.
    """

    def __init__(
        self,
        consumer: str,
        projections: Mapping[str, Sequence[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.consumer = consumer
        self.places: list[dict[str, Any]] = []
        self._clock = clock
        self._lag: dict[Partition, int] = {}
        self._seen_at = clock()
        self._current_at: dict[Partition, float] = {}
        metrics.BATCH_RETRIES.labels(consumer)
        metrics.FENCED_BATCHES.labels(consumer)
        for name, topics in (projections or {}).items():
            metrics.PROJECTION_AGE.labels(name).set_function(partial(self._oldest, frozenset(topics)))

    @property
    def age(self) -> float:
        """For how many seconds there has been something that is not taken yet, of all partitions that are ours."""
        return max((self._age(place) for place in list(self._lag)), default=0.0)

    def observe(self, consumer: AIOKafkaConsumer, cursors: Mapping[Partition, Cursor]) -> None:
        """Note where the consumer stands in each partition and how much lies ahead."""
        self.places = []
        self._seen_at = self._clock()
        for (topic, number), cursor in sorted(cursors.items()):
            partition = TopicPartition(topic, number)
            mark = consumer.highwater(partition) if partition in consumer.assignment() else None
            lag = max(0, mark - cursor.next_offset) if mark is not None else None
            place = {"consumer": self.consumer, "topic": topic, "partition": number, "next_offset": cursor.next_offset}
            self.places.append({**place, "last_position": cursor.last_position, "high_watermark": mark, "lag": lag})
            if lag is not None:
                self._note((topic, number), lag)
        for lost in set(self._lag) - set(cursors):
            self._forget(lost)

    def kept(self, oldest: Mapping[Partition, int], cursors: Mapping[Partition, Cursor]) -> None:
        """Note the oldest offset that Kafka keeps of each partition."""
        for (topic, number), offset in oldest.items():
            metrics.OLDEST_KEPT.labels(topic, str(number)).set(offset)
            if (topic, number) in cursors:
                headroom = cursors[topic, number].next_offset - offset
                metrics.RETENTION_HEADROOM.labels(self.consumer, topic, str(number)).set(headroom)

    def taken(self, reading: Reading, seconds: float) -> None:
        """Count a batch that was committed."""
        metrics.BATCH_SECONDS.labels(self.consumer).observe(seconds)
        metrics.BATCH_EVENTS.labels(self.consumer).observe(len(reading.entries))
        metrics.DUPLICATES_SUPPRESSED.labels("record").inc(reading.repeats)
        last = {entry.partition: entry.fact for entry in reading.entries if entry.fact is not None}
        for place, fact in last.items():
            recorded_at = fact.recorded_at.timestamp()
            self._current_at[place] = max(recorded_at, self._current_at.get(place, recorded_at))

    def again(self) -> None:
        """Count a batch that is tried once more."""
        metrics.BATCH_RETRIES.labels(self.consumer).inc()

    def fenced(self) -> None:
        """Count a batch that was dropped because the partitions were not ours any more."""
        metrics.FENCED_BATCHES.labels(self.consumer).inc()

    def _note(self, place: Partition, lag: int) -> None:
        labels = self.consumer, place[0], str(place[1])
        metrics.CONSUMER_LAG_EVENTS.labels(*labels).set(lag)
        if place not in self._lag:
            metrics.CONSUMER_LAG_SECONDS.labels(*labels).set_function(partial(self._age, place))
        self._lag[place] = lag
        if lag == 0:
            self._current_at[place] = self._seen_at

    def _forget(self, place: Partition) -> None:
        """A partition that another consumer has now is told by that one."""
        labels = self.consumer, place[0], str(place[1])
        for gauge in (metrics.CONSUMER_LAG_EVENTS, metrics.CONSUMER_LAG_SECONDS, metrics.RETENTION_HEADROOM):
            gauge.remove(*labels)
        del self._lag[place]
        self._current_at.pop(place, None)

    def _age(self, place: Partition) -> float:
        """Return for how long there has been something that is not taken yet, at most."""
        now = self._clock()
        if self._lag.get(place) == 0 and now - self._seen_at < FRESH_SECONDS:
            return 0.0
        return max(0.0, now - self._current_at.get(place, self._seen_at))

    def _oldest(self, topics: frozenset[str]) -> float:
        return max((self._age(place) for place in list(self._lag) if place[0] in topics), default=0.0)
