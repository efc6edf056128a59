"""A topic against its log: every public event is there, in order, and every record is byte for byte what the log makes of it."""

from collections.abc import Sequence
from typing import Any

import psycopg
from aiokafka.structs import ConsumerRecord, TopicPartition

from till_events.topics import source_of
from till_platform.relay.rows import COLUMNS, headers_of
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
        """The records that carry an event once more: a relay that was killed between Kafka's answer and its own note leaves some."""
        self._topic = topic
        self._source = source_of(service)
        self._connection = connection
        self._last: dict[TopicPartition, int] = {}

    async def run(self, kafka: str) -> str | None:
        """Read the whole topic and return the first thing that is wrong, if anything is."""
        (published,) = self._connection.execute(_PUBLISHED, [self._topic]).fetchone() or (0,)
        try:
            async with open_topics(kafka, [self._topic]) as client:
                async for polled in read_to(client, await ends_of(client)):
                    for partition, records in polled.items():
                        self._check(partition, records, published)
        except Difference as difference:
            return str(difference)
        (public,) = self._connection.execute(_PUBLIC, [published]).fetchone() or (0,)
        if self.found != public:
            return f"{public} public events of the log were published, and {self.found} are on {self._topic}"
        return None

    def _check(self, partition: TopicPartition, records: Sequence[ConsumerRecord], published: int) -> None:
        positions = [_position(record) for record in records]
        rows = {row[0]: row for row in self._connection.execute(_ROWS, [positions], binary=True)}
        last = self._last.get(partition, 0)
        for position, record in zip(positions, records, strict=True):
            if position > last:
                _compare(record, rows.get(position), self._source, follows=last)
                self.found += position <= published
                last = position
            else:
                _compare(record, rows.get(position), self._source, follows=None)
                self.repeats += 1
        self._last[partition] = last


def _position(record: ConsumerRecord) -> int:
    try:
        return int(dict(record.headers)["ce_logposition"])
    except (KeyError, ValueError) as error:
        raise Difference(f"{_place(record)}: is not one of our events") from error


def _compare(record: ConsumerRecord, row: tuple[Any, ...] | None, source: str, *, follows: int | None) -> None:
    if row is None:
        raise Difference(f"{_place(record)}: the log has no such event")
    *headers, (name, previous) = record.headers
    if (record.value, record.key, headers) != (row[6], row[5].encode(), headers_of(row, source)):
        raise Difference(f"{_place(record)}: is not byte for byte the event at position {row[0]} of the log")
    if name != "ce_prevposition" or (follows is not None and previous != b"%d" % follows):
        raise Difference(
            f"{_place(record)}: says it follows position {previous.decode()}, but {follows} is in front of it"
        )


def _place(record: ConsumerRecord) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
