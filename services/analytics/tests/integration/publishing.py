"""Events of other services on their topics, as their relays would put them there."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from zlib import crc32

from aiokafka import AIOKafkaProducer

from till_events.base import declaration_of
from till_events.codec import encode, type_of
from till_events.envelope import Envelope, to_headers
from till_events.ids import new_id
from till_events.topics import source_of, topic_of

PARTITIONS = 6
_ABOUT = ("purchase_id", "return_id", "order_id", "product_id", "customer_id", "store_id")


class Publisher:
    """Stands for the logs of the other services of one installation."""

    def __init__(self, kafka: str, namespace: str) -> None:
        self._kafka = kafka
        self._namespace = namespace
        self._positions: Counter[str] = Counter()
        self._sequences: Counter[str] = Counter()
        self._last: dict[tuple[str, int], int] = {}

    def publish(self, *events, as_bytes: bytes | None = None) -> None:
        """Publish events in this order, each in the stream of what it is about; `as_bytes` in the place of what they say."""
        asyncio.run(self._publish(events, as_bytes))

    async def _publish(self, events, as_bytes) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all", enable_idempotence=True, linger_ms=5)
        await producer.start()
        try:
            for event in events:
                owner = declaration_of(event).owner
                envelope = self._envelope(event)
                partition = crc32(envelope.key.encode()) % PARTITIONS
                before = self._last.get((owner, partition), 0)
                self._last[owner, partition] = envelope.position
                await producer.send(
                    topic_of(owner, self._namespace),
                    as_bytes if as_bytes is not None else encode(event),
                    key=envelope.key.encode(),
                    partition=partition,
                    headers=[*to_headers(envelope), ("ce_prevposition", b"%d" % before)],
                )
        finally:
            await producer.stop()

    def _envelope(self, event) -> Envelope:
        owner = declaration_of(event).owner
        stream = "thing-" + next(getattr(event, name) for name in _ABOUT if getattr(event, name, None))
        self._positions[owner] += 1
        self._sequences[stream] += 1
        return Envelope(
            id=new_id(),
            type=type_of(event),
            source=source_of(owner),
            subject=stream,
            key=getattr(event, "customer_id", None) or stream,
            sequence=self._sequences[stream],
            position=self._positions[owner],
            time=event.occurred_at,
            recorded_at=datetime.now(UTC),
            correlation_id="test",
        )
