"""A topic against its log: every public event is there, in order, and every record is byte for byte what the log makes of it."""

from collections.abc import Sequence
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from till_events.topics import source_of, topic_of
from till_platform.relay.rows import COLUMNS, headers_of

_ROWS = f"SELECT {COLUMNS} FROM log WHERE position = ANY(%s)"
_PUBLIC = "SELECT count(*) FROM log WHERE public"


class Difference(Exception):
    """The first record that is not what the log says."""


async def check_topic(service: str, dsn: str, kafka: str) -> tuple[int, int, str | None]:
    """Return the number of events found on the topic, of repeats among the records, and the first thing that is wrong."""
    topic = topic_of(service)
    found = repeats = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as client:
            partitions = [TopicPartition(topic, number) for number in sorted(await _numbers(client, topic))]
            ends = await client.end_offsets(partitions)
            for partition in partitions:
                try:
                    new, again = await _check_partition(client, partition, ends[partition], connection, service)
                except Difference as difference:
                    return found, repeats, str(difference)
                found += new
                repeats += again
        (public,) = connection.execute(_PUBLIC).fetchone() or (0,)
    if found != public:
        return found, repeats, f"{public} public events are in the log and {found} on {topic}"
    return found, repeats, None


async def _numbers(client: AIOKafkaConsumer, topic: str) -> set[int]:
    client.subscribe([topic])
    found = client.partitions_for_topic(topic)
    while not found:
        await client._client.force_metadata_update()  # noqa: SLF001 - the client offers no other way to ask at once
        found = client.partitions_for_topic(topic)
    client.unsubscribe()
    return set(found)


async def _check_partition(
    client: AIOKafkaConsumer, partition: TopicPartition, end: int, connection: psycopg.Connection[Any], service: str
) -> tuple[int, int]:
    new = again = last = 0
    client.assign([partition])
    client.seek(partition, 0)
    while await client.position(partition) < end:
        polled = await client.getmany(partition, timeout_ms=500, max_records=5_000)
        records = polled.get(partition, [])
        rows = _rows(connection, [_position(record) for record in records])
        for record in records:
            position = _position(record)
            if position > last:
                _compare(record, rows.get(position), last, service)
                new, last = new + 1, position
            else:
                _compare(record, rows.get(position), None, service)
                again += 1
    return new, again


def _rows(connection: psycopg.Connection[Any], positions: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    return {row[0]: row for row in connection.execute(_ROWS, [list(positions)], binary=True)}


def _position(record: ConsumerRecord) -> int:
    try:
        return int(dict(record.headers)["ce_logposition"])
    except (KeyError, ValueError) as error:
        raise Difference(f"{record.topic}/{record.partition}@{record.offset} is not one of our events") from error


def _compare(record: ConsumerRecord, row: tuple[Any, ...] | None, previous: int | None, service: str) -> None:
    place = f"{record.topic}/{record.partition}@{record.offset}"
    if row is None:
        raise Difference(f"{place}: the log has no such event")
    expected = headers_of(row, source_of(service))
    headers = list(record.headers)
    (name, follows) = headers.pop()
    if name != "ce_prevposition" or (previous is not None and int(follows) != previous):
        raise Difference(f"{place}: says it follows {follows.decode()}, but {previous} is in front of it")
    if (record.value, record.key, headers) != (row[6], row[5].encode(), expected):
        raise Difference(f"{place}: is not byte for byte the event at position {row[0]} of the log")
