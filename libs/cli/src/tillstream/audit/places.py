"""The three places where events can be checked: the log in its database, the topic, an export in a file."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

from till_events.envelope import Envelope, UnreadableEnvelope, from_headers, to_headers
from till_events.topics import source_of
from till_platform.audit.keys import PublicKey
from till_platform.kafka.signatures import SIGNATURE
from till_platform.settings import KafkaSettings
from tillstream.audit.check import Check, Entry, Verdict
from tillstream.exits import CommandFailed
from tillstream.exports.files import UnreadableRow, read_export
from tillstream.exports.log_rows import every_row, head_of
from tillstream.progress import counted
from tillstream.topics import ends_of, open_topics, read_to

Tell = Callable[[int, int | None], None]
"""Told how many events were looked at, and how many there are, where that is known."""


def check_log(connection: psycopg.Connection[Any], service: str, keys: Sequence[PublicKey], tell: Tell) -> Verdict:
    """Check a log as it stands in its database."""
    check = Check(source_of(service), keys)
    total = head_of(connection)
    for entry in counted(every_row(connection, service), tell, total):
        check.take(entry)
    return check.verdict(lambda position: _named(connection, position))


def check_topic(kafka: KafkaSettings, topic: str, service: str, keys: Sequence[PublicKey], tell: Tell) -> Verdict:
    """Check the public events of a log as anybody can read them."""
    return asyncio.run(_check_topic(kafka, topic, Check(source_of(service), keys, whole=False), tell))


def check_export(path: Path, keys: Sequence[PublicKey], services: Sequence[str] | None, tell: Tell) -> list[Verdict]:
    """Check the logs, or parts of logs, in a file. With `services` only theirs."""
    wanted = {source_of(service) for service in services} if services else None
    checks: dict[str, Check] = {}
    last: Check | None = None
    try:
        for entry in counted(read_export(path), tell):
            source = entry.envelope.source
            if wanted is None or source in wanted:
                last = checks.setdefault(source, Check(source, keys, partial=True))
                last.take(entry)
    except UnreadableRow as error:
        if last is None:
            raise CommandFailed(f"{path} is not an export: {error}") from error
        last.refuse(f"{error}; what follows was not looked at")
    return [check.verdict(partial(_found, path, source)) for source, check in checks.items()]


async def _check_topic(kafka: KafkaSettings, topic: str, check: Check, tell: Tell) -> Verdict:
    reading = _TopicReading(check)
    async with open_topics(kafka, [topic]) as client:
        ends = await ends_of(client)
        total = sum(ends.values())
        await reading.read(client, ends, lambda number: tell(number, total))
        # Partitions do not grow in step: whatever the heads seen so far speak of is there by now.
        check.takes_heads = False
        await reading.read(client, await ends_of(client), lambda _: None)
    return reading.verdict()


class _TopicReading:
    """Reads a topic as its consumers do: a record is taken if it follows the last one taken of its partition, and else left aside.

    What is left aside is there once more in its place, as after a refill, or it was moved.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._last: dict[Any, int] = {}
        self._aside: dict[int, tuple[Entry, bool]] = {}
        self._number = 0

    async def read(self, client: AIOKafkaConsumer, ends: Any, tell: Callable[[int], None]) -> None:
        async for polled in read_to(client, ends):
            for partition, records in polled.items():
                for record in records:
                    self._take(record, partition)
                self._number += len(records)
                tell(self._number)

    def verdict(self) -> Verdict:
        for entry, takes_heads in self._aside.values():
            self._check.takes_heads = takes_heads
            self._check.out_of_place(entry)
        return self._check.verdict()

    def _take(self, record: ConsumerRecord, partition: Any) -> None:
        """An event is what its headers and its value say; headers nobody vouches for must be those that follow from the rest."""
        try:
            envelope = from_headers(record.headers)
            previous = int(dict(record.headers)["ce_prevposition"])
        except (UnreadableEnvelope, KeyError, ValueError) as error:
            place = f"{record.topic}/{record.partition}@{record.offset}"
            self._check.stranger(f"{place} is not one of our events: {type(error).__name__}: {error}")
            return
        headers = [header for header in record.headers if header[0] not in {"ce_prevposition", SIGNATURE}]
        if headers != _headers_of(envelope) or record.key != envelope.key.encode():
            self._check.foreign(envelope, "has headers or a key that do not follow from what was signed")
        entry, last = Entry(envelope, record.value or b""), self._last.get(partition, 0)
        if envelope.position > last and previous != last:
            self._aside.setdefault(envelope.position, (entry, self._check.takes_heads))
            return
        self._last[partition] = max(last, envelope.position)
        self._check.take(entry)


def _headers_of(envelope: Envelope) -> list[tuple[str, bytes]] | None:
    try:
        return to_headers(envelope)
    except ValueError:  # a type that names no owner
        return None


def _named(connection: psycopg.Connection[Any], position: int) -> str | None:
    row = connection.execute("SELECT stream, sequence, type FROM log WHERE position = %s", [position]).fetchone()
    return f"{row[0]}@{row[1]} ({row[2]})" if row else None


def _found(path: Path, source: str, position: int) -> str | None:
    with suppress(UnreadableRow):
        for entry in read_export(path):
            envelope = entry.envelope
            if (envelope.source, envelope.position) == (source, position):
                return f"{envelope.subject}@{envelope.sequence} ({envelope.type})"
    return None
