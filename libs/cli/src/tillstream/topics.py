"""Topics as anybody may read them: all partitions, in no consumer group, leaving no trace."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import ConsumerRecord

from till_platform.kafka.connection import connection_options
from till_platform.kafka.refusals import denial, explain
from till_platform.settings import KafkaSettings
from tillstream.exits import CommandFailed, Exit

AT_ONCE = 5_000
_POLL_MS = 500


@asynccontextmanager
async def open_topics(kafka: KafkaSettings, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a reader at the beginning of all partitions of some topics; raise CommandFailed where Kafka or a topic is not there."""
    client = AIOKafkaConsumer(
        *topics,
        **connection_options(kafka),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=8_000_000,
    )
    try:
        await client.start()
        # A client that is closed before its tasks took their first step raises CancelledError: let them.
        await asyncio.sleep(0)
        yield client
    except KafkaConnectionError as error:
        closed = kafka.kafka_protocol != "PLAINTEXT"
        detail = await explain(error, kafka) if closed else f"Kafka does not answer at {kafka.kafka}"
        raise CommandFailed(detail, "till doctor", Exit.UNAVAILABLE) from error
    except KafkaError as error:
        detail = denial(error) or f"{', '.join(topics) or 'Kafka'}: {type(error).__name__}"
        raise CommandFailed(detail, "till doctor", Exit.UNAVAILABLE) from error
    finally:
        await client.stop()


async def ends_of(client: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Return for each partition the offset that the next record will have."""
    found: dict[TopicPartition, int] = await client.end_offsets(sorted(client.assignment()))
    return found


async def read_to(
    client: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[dict[TopicPartition, list[ConsumerRecord]]]:
    """Yield the records from where the client stands up to, and without, the offsets given; it stands there afterwards."""
    left = set()
    for partition, end in ends.items():
        if await client.position(partition) < end:
            left.add(partition)
        else:
            client.pause(partition)
    while left:
        polled = await client.getmany(timeout_ms=_POLL_MS, max_records=AT_ONCE)
        yield {place: [one for one in records if one.offset < ends[place]] for place, records in polled.items()}
        for partition in sorted(left):
            if await client.position(partition) >= ends[partition]:
                client.pause(partition)
                client.seek(partition, ends[partition])
                left.discard(partition)
    client.resume(*ends)
