"""Making topics: with a partition count that never changes, and kept for ever."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from till_platform.kafka.connection import connection_options
from till_platform.settings import Settings

KEPT_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}


class WrongPartitions(Exception):
    """The topic exists with another number of partitions: keys would move, and with them their order."""


async def ensure_topics(settings: Settings, owners: Iterable[str]) -> None:
    """Create the topics of these services if there are none; raise `WrongPartitions` if one is cut differently.

    A service makes the topics it reads as well as its own: so it starts alone, before or without the others.
    """
    topics = [settings.topic(owner) for owner in sorted({settings.service, *owners})]
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        wanted = [
            NewTopic(topic, settings.partitions, settings.replication, topic_configs=KEPT_FOR_EVER) for topic in topics
        ]
        for topic, code, *_ in (await admin.create_topics(wanted)).topic_errors:
            if code not in {0, TopicAlreadyExistsError.errno}:
                raise ConnectionError(f"Kafka will not create {topic}: error {code}")
        for described in await admin.describe_topics(topics):
            found = len(described["partitions"])
            if found and found != settings.partitions:
                raise WrongPartitions(
                    f"{described['topic']} has {found} partitions, not {settings.partitions}: set TILL_PARTITIONS={found}"
                )
    finally:
        await admin.close()
