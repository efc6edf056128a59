"""A topic against its log: every public event is there, in order, and every record is byte for byte what the log makes of it."""

from collections.abc import Sequence
from typing import Any

import psycopg
from aiokafka.structs import ConsumerRecord, TopicPartition

from till_events.topics import source_of
from till_platform.kafka.signatures import SIGNATURE
from till_platform.relay.rows import COLUMNS, headers_of
from till_platform.settings import KafkaSettings
from tillstream.topics import ends_of, open_topics, read_to

_PUBLISHED = "SELECT coalesce(max(position), 0) FROM relay_mark WHERE topic = %s"
_PUBLIC = "SELECT count(*) FROM log WHERE public AND position <= %s"
_ROWS = f"SELECT {COLUMNS} FROM log WHERE position = ANY(%s)"


class Difference(Exception):
    """The first record that is not what the log says."""


class TopicCheck:
    """Compares one topic with the log it is published from, while both may grow."""

    def __init__(self, service: str, topic: str, connection: psycopg.Connection[Any]) -> None:
        self.found = 0
        """The events of the log that are on the topic, each counted once."""
        self.repeats = 0
        """The records that carry an event once more: a relay that was killed between Kafka's answer and its own note leaves some.

        So does one that sends into a topic wiped a moment ago: that record is out of place, and comes once more in the refill behind it.
        """
        self._topic = topic
        self._source = source_of(service)
        self._connection = connection
        self._last: dict[TopicPartition, int] = {}
        self._out_of_place: dict[TopicPartition, str] = {}

    async def run(self, kafka: KafkaSettings) -> str | None:
        """Read the whole topic and return the first thing that is wrong, if anything is."""
        (published,) = self._connection.execute(_PUBLISHED, [self._topic]).fetchone() or (0,)
        try:
            async with open_topics(kafka, [self._topic]) as client:
                async for polled in read_to(client, await ends_of(client)):
                    for partition, records in polled.items():
                        self._check(partition, records, published)
        except Difference as difference:
            return str(difference)
        if self._out_of_place:
            return next(iter(self._out_of_place.values()))
        (public,) = self._connection.execute(_PUBLIC, [published]).fetchone() or (0,)
        if self.found != public:
            return f"{public} public events of the log were published, and {self.found} are on {self._topic}"
        return None

    def _check(self, partition: TopicPartition, records: Sequence[ConsumerRecord], published: int) -> None:
        positions = [_position(record) for record in records]
        rows = {row[0]: row for row in self._connection.execute(_ROWS, [positions], binary=True)}
        last = self._last.get(partition, 0)
        for position, record in zip(positions, records, strict=True):
            follows = _compare(record, rows.get(position), self._source)
            if position > last and follows == last:
                self.found += position <= published
                last = position
                self._out_of_place.pop(partition, None)
            else:
                self.repeats += 1
                if position > last:
                    what = f"says it follows position {follows}, but {last} is in front of it"
                    self._out_of_place.setdefault(partition, f"{_place(record)}: {what}")
        self._last[partition] = last


def _position(record: ConsumerRecord) -> int:
    try:
        return int(dict(record.headers)["ce_logposition"])
    except (KeyError, ValueError) as error:
        raise Difference(f"{_place(record)}: is not one of our events") from error


def _compare(record: ConsumerRecord, row: tuple[Any, ...] | None, source: str) -> int:
    """Return the position that the record says it follows; raise Difference if anything else about it is not what the log says."""
    if row is None:
        raise Difference(f"{_place(record)}: the log has no such event")
    *headers, (name, previous) = [header for header in record.headers if header[0] != SIGNATURE]
    if (record.value, record.key, headers) != (row[6], row[5].encode(), headers_of(row, source)):
        raise Difference(f"{_place(record)}: is not byte for byte the event at position {row[0]} of the log")
    if name != "ce_prevposition" or not previous.isdigit():
        raise Difference(f"{_place(record)}: does not say which position it follows")
    return int(previous)


def _place(record: ConsumerRecord) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
