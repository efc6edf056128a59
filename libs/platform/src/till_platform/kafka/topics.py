"""Making a service's topic: with its partition count, which never changes, and kept for ever."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from till_platform.kafka.connection import connection_options
from till_platform.settings import Settings

KEPT_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}


class WrongPartitions(Exception):
    """The topic exists with another number of partitions: keys would move, and with them their order."""


async def ensure_topic(settings: Settings) -> None:
    """Create the topic of the service's log if there is none; raise `WrongPartitions` if it is cut differently."""
    topic = settings.topic(settings.service)
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        wanted = NewTopic(topic, settings.partitions, settings.replication, topic_configs=KEPT_FOR_EVER)
        response = await admin.create_topics([wanted])
        for _, code, *_ in response.topic_errors:
            if code not in {0, TopicAlreadyExistsError.errno}:
                raise ConnectionError(f"Kafka will not create {topic}: error {code}")
        (described,) = await admin.describe_topics([topic])
        found = len(described["partitions"])
        if found and found != settings.partitions:
            raise WrongPartitions(
                f"{topic} has {found} partitions, not {settings.partitions}: set TILL_PARTITIONS={found}"
            )
    finally:
        await admin.close()
