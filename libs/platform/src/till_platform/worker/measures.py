"""What a worker tells about itself: how far behind it is, and what it did."""

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from till_platform.telemetry import metrics
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.reading import Reading


class Measures:
    """The gauges and counters of one consumer. Lag comes from the high watermark, never from offsets committed to Kafka."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self.places: list[dict[str, Any]] = []

    def observe(self, consumer: AIOKafkaConsumer, cursors: Mapping[Partition, Cursor]) -> None:
        """Note where the consumer stands in each partition and how much lies ahead."""
        self.places = []
        for (topic, number), cursor in sorted(cursors.items()):
            partition = TopicPartition(topic, number)
            mark = consumer.highwater(partition) if partition in consumer.assignment() else None
            lag = max(0, mark - cursor.next_offset) if mark is not None else None
            place = {"consumer": self.consumer, "topic": topic, "partition": number, "next_offset": cursor.next_offset}
            self.places.append({**place, "last_position": cursor.last_position, "high_watermark": mark, "lag": lag})
            if lag is not None:
                metrics.CONSUMER_LAG_EVENTS.labels(self.consumer, topic, str(number)).set(lag)

    def taken(self, reading: Reading, seconds: float) -> None:
        """Count a batch that was committed."""
        metrics.BATCH_SECONDS.labels(self.consumer).observe(seconds)
        metrics.BATCH_EVENTS.labels(self.consumer).observe(len(reading.entries))
        metrics.DUPLICATES_SUPPRESSED.labels("record").inc(reading.repeats)

    def again(self) -> None:
        """Count a batch that is tried once more."""
        metrics.BATCH_RETRIES.labels(self.consumer).inc()

    def fenced(self) -> None:
        """Count a batch that was dropped because the partitions were not ours any more."""
        metrics.FENCED_BATCHES.labels(self.consumer).inc()
