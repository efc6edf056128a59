"""B3: from the log to Kafka. How fast a backlog is published, and how soon a new event is there for readers.

All wait for `acks=all` and mark what was acknowledged. The naive outbox is the one that most articles show: some rows at a time, each sent
and awaited, then marked. The limit reads the same rows through a cursor, sends them without a break and marks nothing.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from append import NOON, OURS, payment
from contest import Bound, Claim, Contender, Contest, Sample, Wrong

from till_events.codec import encode
from till_platform.context import Context
from till_platform.domain import RecordedEvent
from till_platform.eventstore.append import Commit, append
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.schema import migrate
from till_platform.eventstore.stored import LoggedEvent
from till_platform.kafka.topics import ensure_topics
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.relay import Relay
from till_platform.settings import Settings
from till_platform.testing.infra import Infra
from till_platform.testing.logs import committer_for

NAIVE, LIMIT = "naive outbox", "cursor and send"
BACKLOG = {OURS: 40_000, LIMIT: 40_000, NAIVE: 1_500}
A_SECOND, LIVE = 200, 1_000
"""The events recorded one by one while their way to a reader is timed."""


def events(first: int, count: int) -> list[LoggedEvent]:
    return [
        LoggedEvent.of(RecordedEvent(f"order-o-{number}", 1, payment(f"o-{number}"), f"customer-{number}"))
        for number in range(first, first + count)
    ]


def ours(infra: Infra) -> Contender:
    address = infra.database("ours")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
        for first in range(0, BACKLOG[OURS], 5_000):
            with connection.transaction():
                append(connection, [Commit(events(first, 5_000), Context(correlation_id="bench"))])
    topics, numbers = itertools.count(), itertools.count(BACKLOG[OURS])

    async def publish() -> Sample:
        settings = settings_of(infra, address, f"relay{next(topics)}")
        committer = committer_for(address)
        relay = Relay("order", lambda: psycopg.connect(address, autocommit=True), KafkaSide(settings), idle_seconds=1)
        loop = asyncio.get_running_loop()
        committer.on_commit(lambda: loop.call_soon_threadsafe(relay.wake))
        backlog = await asyncio.to_thread(head_of, address)
        running = asyncio.create_task(relay.run())
        while not relay.ready:
            await asyncio.sleep(0.001)
        cpu, started = time.process_time(), time.perf_counter()
        while relay.position < backlog:
            await asyncio.sleep(0.005)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        await expect(infra, settings.topic("order"), backlog)
        lags = sorted(await live(infra, settings.topic("order"), committer, numbers))
        relay.stop()
        await running
        await asyncio.to_thread(committer.close)
        facts = {"lag_p50_ms": lags[LIVE // 2] * 1000, "lag_p99_ms": lags[int(LIVE * 0.99)] * 1000}
        return Sample(backlog, seconds, cpu, facts)

    return Contender(
        OURS, "at least once, in order, repeats and holes are told by readers", lambda: asyncio.run(publish())
    )


async def live(infra: Infra, topic: str, committer: GroupCommit, numbers: Iterator[int]) -> list[float]:
    """Record events at a fixed rate and return how long each took from its commit to a reader."""
    committed: dict[bytes, float] = {}
    lags: list[float] = []
    async with AIOKafkaConsumer(bootstrap_servers=infra.kafka, enable_auto_commit=False) as reader:
        places = [TopicPartition(topic, number) for number in range(6)]
        reader.assign(places)
        await reader.seek_to_end(*places)

        async def read() -> None:
            while len(lags) < LIVE:
                for records in (await reader.getmany(timeout_ms=1000)).values():
                    now = time.perf_counter()
                    for record in records:
                        while record.key not in committed:  # the reader may hear of it before who recorded it does
                            await asyncio.sleep(0)
                        lags.append(now - committed[record.key])

        reading = asyncio.create_task(read())
        started = time.perf_counter()

        async def record(row: LoggedEvent) -> None:
            await committer.append([Commit([row], Context(correlation_id="bench"))])
            committed[row.key.encode()] = time.perf_counter()

        recording = []
        for number in range(LIVE):
            await asyncio.sleep(max(0.0, started + number / A_SECOND - time.perf_counter()))
            (row,) = events(next(numbers), 1)
            recording.append(asyncio.create_task(record(row)))
        await asyncio.gather(*recording)
        await asyncio.wait_for(reading, 60)
    return lags


def naive(infra: Infra) -> Contender:
    address = filled_outbox(infra, "naive", BACKLOG[NAIVE])
    topics = itertools.count()

    async def publish() -> Sample:
        topic = await a_topic(infra, f"naive{next(topics)}")
        async with AIOKafkaProducer(bootstrap_servers=infra.kafka, acks="all", enable_idempotence=True) as producer:
            with psycopg.connect(address) as connection:
                connection.execute("UPDATE outbox SET sent_at = NULL")
                connection.commit()
                cpu, started = time.process_time(), time.perf_counter()
                while rows := connection.execute(UNSENT).fetchall():
                    for _, key, value in rows:
                        await producer.send_and_wait(topic, value, key=key.encode())
                    connection.execute(
                        "UPDATE outbox SET sent_at = now() WHERE id = ANY(%s)", [[row[0] for row in rows]]
                    )
                    connection.commit()
        sample = Sample(BACKLOG[NAIVE], time.perf_counter() - started, time.process_time() - cpu)
        await expect(infra, topic, BACKLOG[NAIVE])
        return sample

    return Contender(
        NAIVE, "at least once, order lost with two of them", lambda: asyncio.run(publish()), "SKIP LOCKED LIMIT 100"
    )


def limit(infra: Infra) -> Contender:
    address = filled_outbox(infra, "limit", BACKLOG[LIMIT])
    topics = itertools.count()

    async def publish() -> Sample:
        topic = await a_topic(infra, f"limit{next(topics)}")
        options = {"linger_ms": 2, "max_batch_size": 262_144}
        producing = AIOKafkaProducer(bootstrap_servers=infra.kafka, acks="all", enable_idempotence=True, **options)
        async with producing as producer:
            with psycopg.connect(address) as connection, connection.cursor("rows") as cursor:
                cpu, started = time.process_time(), time.perf_counter()
                cursor.execute("SELECT id, key, value FROM outbox ORDER BY id")
                sent = []
                while rows := cursor.fetchmany(2_000):
                    sent += [await producer.send(topic, value, key=key.encode()) for _, key, value in rows]
                await asyncio.gather(*sent)
        sample = Sample(BACKLOG[LIMIT], time.perf_counter() - started, time.process_time() - cpu)
        await expect(infra, topic, BACKLOG[LIMIT])
        return sample

    return Contender(
        LIMIT, "none: nothing is marked", lambda: asyncio.run(publish()), "aiokafka, linger 2 ms, 256 KB batches"
    )


UNSENT = "SELECT id, key, value FROM outbox WHERE sent_at IS NULL ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED"


def filled_outbox(infra: Infra, name: str, count: int) -> str:
    address = infra.database(name)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE outbox (id bigint PRIMARY KEY, key text NOT NULL, value bytea NOT NULL, at timestamptz NOT NULL,"
            " sent_at timestamptz)"
        )
        connection.execute("CREATE INDEX ON outbox (id) WHERE sent_at IS NULL")
        with connection.cursor().copy("COPY outbox (id, key, value, at) FROM STDIN") as copy:
            for number in range(count):
                copy.write_row((number, f"customer-{number}", encode(payment(f"o-{number}")), NOON))
    return address


def settings_of(infra: Infra, address: str, namespace: str) -> Settings:
    return Settings.read(
        service="order",
        environment="local",
        pg=address,
        kafka=infra.kafka,
        redis=infra.redis,
        partitions=6,
        namespace=namespace,
    )


async def a_topic(infra: Infra, name: str) -> str:
    settings = settings_of(infra, "postgresql://unused", name)
    await ensure_topics(settings, ["order"])
    return settings.topic("order")


async def expect(infra: Infra, topic: str, count: int) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=infra.kafka, enable_auto_commit=False) as reader:
        found = sum((await reader.end_offsets([TopicPartition(topic, number) for number in range(6)])).values())
    if found != count:
        raise Wrong(f"{found} records are on the topic, {count} were to be published")


def head_of(address: str) -> int:
    with psycopg.connect(address) as connection:
        row: Sequence[Any] = connection.execute("SELECT position FROM log_head").fetchone() or (0,)
    return int(row[0])


@contextmanager
def open_contest(infra: Infra) -> Iterator[Contest]:
    yield Contest(
        "a backlog from the log to Kafka",
        "events/s",
        [ours(infra), naive(infra), limit(infra)],
        [Claim(NAIVE, 10), Claim(LIMIT, 0.7)],
        [Bound("lag_p99_ms", 50)],
    )
