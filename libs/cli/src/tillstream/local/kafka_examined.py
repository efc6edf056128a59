"""What Kafka tells of its health: topics as they must be, nothing deleted, nobody let in who should not be."""

import asyncio
from collections.abc import Iterator

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from till_events.topics import topic_of
from till_platform.kafka.connection import connection_options
from till_platform.kafka.topics import KEPT_FOR_EVER
from till_platform.settings import KafkaSettings
from tillstream.attached import kafka_of
from tillstream.exits import CommandFailed
from tillstream.local.access_examined import examine_access
from tillstream.local.directory import DataDirectory
from tillstream.local.finding import START_AGAIN, Finding
from tillstream.local.state import StackState

PATIENCE_SECONDS = 5
_NEEDED = "SELECT topic, partition, next_offset FROM checkpoint"


def examine_kafka(state: StackState, directory: DataDirectory) -> list[Finding]:
    """Look at the topics of the services that run, and at who may read and write them."""
    topics = [topic_of(service, state.namespace) for service in state.apis]
    kafka = kafka_of(state, directory)
    try:
        partitions, settings, oldest = asyncio.run(_look(kafka, topics))
        access = asyncio.run(examine_access(kafka, directory, closed=state.secure))
    except (KafkaError, OSError, CommandFailed) as error:
        return [Finding("Kafka", ok=False, detail=type(error).__name__, remedy=f"till logs kafka ({START_AGAIN})")]
    findings = [Finding("Kafka", ok=True, detail=f"answers, {len(partitions)} topics"), access]
    for topic in topics:
        findings += _topic(topic, partitions.get(topic, 0), settings.get(topic, {}), oldest, state)
    findings += _headroom(state, oldest)
    return findings


async def _look(
    kafka: KafkaSettings, topics: list[str]
) -> tuple[dict[str, int], dict[str, dict[str, str]], dict[TopicPartition, int]]:
    admin = AIOKafkaAdminClient(**connection_options(kafka), request_timeout_ms=PATIENCE_SECONDS * 1000)
    reader = AIOKafkaConsumer(**connection_options(kafka), request_timeout_ms=PATIENCE_SECONDS * 1000)
    try:
        await admin.start()
        await reader.start()
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        there = [topic for topic in topics if topic in partitions]
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic) for topic in there])
        settings = {
            name: {entry[0]: entry[1] for entry in entries}
            for answer in answers
            for _, _, _, name, entries in answer.resources
        }
        places = [TopicPartition(topic, number) for topic in there for number in range(partitions[topic])]
        return partitions, settings, await reader.beginning_offsets(places)
    finally:
        await reader.stop()
        await admin.close()


def _topic(
    topic: str, partitions: int, settings: dict[str, str], oldest: dict[TopicPartition, int], state: StackState
) -> Iterator[Finding]:
    again = "till down && till up -d"
    remedy = (
        f"TILL_PARTITIONS={partitions}; {again} (a topic keeps its number)" if partitions else f"{again} (makes it)"
    )
    detail = f"{partitions} partitions" if partitions else "is missing"
    yield Finding(f"topic {topic}", ok=partitions == state.partitions, detail=detail, remedy=remedy)
    wrong = {name: settings.get(name) for name, wanted in KEPT_FOR_EVER.items() if settings.get(name) != wanted}
    kept = ",".join(f"{name}={value}" for name, value in KEPT_FOR_EVER.items())
    alter = f"kafka-configs --bootstrap-server {state.kafka} --alter --entity-type topics --entity-name {topic}"
    yield Finding(
        f"retention of {topic}",
        ok=not wrong,
        detail=", ".join(f"{name} is {value}" for name, value in wrong.items()) or "for ever",
        remedy=f"{alter} --add-config {kept}",
    )
    deleted = sum(offset for place, offset in oldest.items() if place.topic == topic)
    yield Finding(
        f"oldest records of {topic}",
        ok=deleted == 0,
        detail=f"{deleted} were deleted" if deleted else "all are there",
        remedy=f"till events republish --topic {topic}",
    )


def _headroom(state: StackState, oldest: dict[TopicPartition, int]) -> Iterator[Finding]:
    for service, address in state.databases.items():
        try:
            with psycopg.connect(address, connect_timeout=PATIENCE_SECONDS) as database:
                needed = {TopicPartition(topic, number): at for topic, number, at in database.execute(_NEEDED)}
        except psycopg.Error:
            continue  # told by what looks at the databases
        gone = {place: oldest[place] - at for place, at in needed.items() if oldest.get(place, 0) > at}
        lost = [f"{place.topic}/{place.partition}: {number}" for place, number in sorted(gone.items())]
        yield Finding(
            f"headroom of {service}",
            ok=not gone,
            detail=f"deleted unread: {', '.join(lost)}" if lost else "nothing was deleted that it needs",
            remedy="till events republish",
        )
