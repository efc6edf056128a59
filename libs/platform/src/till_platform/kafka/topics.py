"""Making topics: with a partition count that never changes, and kept for ever."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from till_platform.kafka.connection import connection_options
from till_platform.kafka.refusals import Refused, explain
from till_platform.settings import KafkaSettings

KEPT_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
_NOT_ALLOWED = {TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno}


class WrongPartitions(Exception):
    """The topic exists with another number of partitions: keys would move, and with them their order."""


async def ensure_topics(settings: KafkaSettings, owners: Iterable[str]) -> None:
    """See that the topics of these services are there, and create those that are not.

    A service sees to the topics it reads as well as its own: so it starts alone, before or without the others. Where it may not create
    topics, an administrator has made them before.

    Raises `Refused` if a topic is missing and may not be created, `WrongPartitions` if one is cut differently.
    """
    topics = [settings.topic(owner) for owner in sorted(set(owners))]
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        try:
            await admin.start()
        except KafkaConnectionError as error:
            raise Refused(await explain(error, settings)) from error
        found = await _partitions(admin)
        if missing := [topic for topic in topics if topic not in found]:
            await _create(admin, missing, settings)
            found = await _partitions(admin)
    finally:
        await admin.close()
    for topic in topics:
        if found.get(topic, settings.partitions) != settings.partitions:
            raise WrongPartitions(
                f"{topic} has {found[topic]} partitions, not {settings.partitions}: set TILL_PARTITIONS={found[topic]}"
            )


async def existing_topics(settings: KafkaSettings) -> list[str]:
    """Return the topics we may see."""
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await admin.start()
        return sorted(await _partitions(admin))
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """The topics we may see. All are asked for: to ask for one by name would create it where brokers do that by themselves."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _create(admin: AIOKafkaAdminClient, topics: list[str], settings: KafkaSettings) -> None:
    wanted = [NewTopic(name, settings.partitions, settings.replication, topic_configs=KEPT_FOR_EVER) for name in topics]
    for topic, code, *_ in (await admin.create_topics(wanted)).topic_errors:
        if code in _NOT_ALLOWED:
            raise Refused(
                f"{topic} is not there, or {settings.kafka_user} may not see it, and may not create it:"
                " an administrator does both with `till access services`"
            )
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise ConnectionError(f"Kafka will not create {topic}: error {code}")
