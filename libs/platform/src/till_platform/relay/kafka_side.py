"""The relay's hold on Kafka: a producer that waits for every replica, and a view of where the topic ends."""

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from till_platform.kafka.connection import connection_options
from till_platform.kafka.topics import ensure_topics
from till_platform.settings import Settings

MAX_BATCH_BYTES = 262_144
MAX_REQUEST_BYTES = 4_194_304
ANSWERS_WITHIN_MS = 15_000
"""Then it begins anew. With aiokafka's 40 s nothing is published so long after a topic was deleted, or on a line that swallows all."""
PATIENCE_SECONDS = 10.0
"""How long Kafka may take to show a record that it says is there."""
_log = structlog.get_logger(__name__)


class KafkaSide:
    """Opened anew at every take-over: after an error of sequence or authorization an idempotent producer is never well again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.topic = settings.topic(settings.service)
        self._producer: AIOKafkaProducer | None = None
        self._viewer: AIOKafkaConsumer | None = None

    async def open(self) -> AIOKafkaProducer:
        """Make sure the topic exists and return a producer for it."""
        await ensure_topics(self._settings, [self._settings.service])
        options = connection_options(self._settings)
        self._producer = AIOKafkaProducer(
            **options,
            acks="all",
            enable_idempotence=True,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=ANSWERS_WITHIN_MS,
        )
        await self._producer.start()
        self._viewer = AIOKafkaConsumer(
            **options, enable_auto_commit=False, auto_offset_reset="none", request_timeout_ms=ANSWERS_WITHIN_MS
        )
        await self._viewer.start()
        return self._producer

    async def end_offsets(self) -> dict[int, int]:
        """Return the end of the topic by partition."""
        assert self._producer is not None
        assert self._viewer is not None
        numbers = await self._producer.partitions_for(self.topic)
        ends = await self._viewer.end_offsets([TopicPartition(self.topic, number) for number in numbers])
        return {partition.partition: end for partition, end in ends.items()}

    async def positions_before(self, ends: Mapping[int, int]) -> dict[int, int | None]:
        """Return the log position that the record before each end says it has; None if it says none, as what others write.

        Left out is a partition whose record was deleted, and all of them if we may write the topic and not read it.
        """
        assert self._viewer is not None
        wanted = {TopicPartition(self.topic, number): end - 1 for number, end in ends.items() if end}
        begins = await self._viewer.beginning_offsets(list(wanted))
        wanted = {place: offset for place, offset in wanted.items() if begins[place] <= offset}
        if not wanted:
            return {}
        try:
            self._viewer.assign(list(wanted))
            for place, offset in wanted.items():
                self._viewer.seek(place, offset)
            async with asyncio.timeout(PATIENCE_SECONDS):
                records = [(await self._viewer.getone(place)) for place in wanted]
        except TimeoutError:
            raise KafkaTimeoutError(f"the last records of {self.topic} do not come") from None
        except TopicAuthorizationFailedError:
            _log.warning("relay_may_not_look_back", topic=self.topic)
            return {}
        finally:
            self._viewer.unsubscribe()
        return {one.partition: _position_of(one) for one in records if one.offset == wanted[_place_of(one)]}

    async def empty(self) -> None:
        """Delete every record there is. Offsets go on from where they were, so no reader takes a new record for an old one."""
        ends = await self.end_offsets()
        admin = AIOKafkaAdminClient(**connection_options(self._settings))
        await admin.start()
        try:
            await admin.delete_records(
                {TopicPartition(self.topic, number): RecordsToDelete(end) for number, end in ends.items() if end}
            )
        finally:
            await admin.close()

    async def close(self) -> None:
        """Let go of Kafka; what was not acknowledged is sent again by whoever leads next."""
        producer, viewer = self._producer, self._viewer
        self._producer = self._viewer = None
        if viewer is not None:
            await viewer.stop()
        if producer is not None:
            await producer.stop()


def _place_of(record: ConsumerRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _position_of(record: ConsumerRecord) -> int | None:
    found = dict(record.headers).get("ce_logposition", b"")
    return int(found) if found.isdigit() else None
