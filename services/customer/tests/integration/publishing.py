"""Events of other services on their topics, as their relays would put them there."""

import asyncio
from datetime import UTC, datetime
from zlib import crc32

from aiokafka import AIOKafkaProducer

from till_events.base import declaration_of
from till_events.codec import encode, type_of
from till_events.envelope import Envelope, to_headers
from till_events.ids import new_id
from till_events.topics import source_of, topic_of

PARTITIONS = 6


class Publisher:
    """Stands for the logs of the other services of one installation."""

    def __init__(self, kafka: str, namespace: str) -> None:
        self.namespace = namespace
        self._kafka = kafka
        self._position = 0
        self._last: dict[tuple[str, int], int] = {}

    def publish(self, *events) -> None:
        """Publish events in this order, each as the first of a stream of its own."""
        asyncio.run(self._publish(events))

    async def _publish(self, events) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            for event in events:
                owner = declaration_of(event).owner
                envelope = self._envelope(event, owner)
                partition = crc32(envelope.key.encode()) % PARTITIONS
                before = self._last.get((owner, partition), 0)
                self._last[owner, partition] = envelope.position
                await producer.send(
                    topic_of(owner, self.namespace),
                    encode(event),
                    key=envelope.key.encode(),
                    partition=partition,
                    headers=[*to_headers(envelope), ("ce_prevposition", b"%d" % before)],
                )
        finally:
            await producer.stop()

    def _envelope(self, event, owner: str) -> Envelope:
        self._position += 1
        stream = f"thing-{self._position}"
        return Envelope(
            id=new_id(),
            type=type_of(event),
            source=source_of(owner),
            subject=stream,
            key=getattr(event, "customer_id", None) or stream,
            sequence=1,
            position=self._position,
            time=event.occurred_at,
            recorded_at=datetime.now(UTC),
            correlation_id="test",
        )
