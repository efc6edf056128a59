"""FastStream declares what we read and publish; the loop that reads is ours.

All that leans on FastStream's insides is in this file, and a test fails loudly if a new version moves it: the class of a batch subscriber,
its `start`, and the attributes it builds its consumer from. Its own loop
swallows a handler's exception and reads on, which loses the batch.
"""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber, LogicSubscriber
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from till_platform.kafka.connection import connection_options
from till_platform.kafka.mending import bury, has_died
from till_platform.settings import Settings
from till_platform.worker.loop import WorkerLoop

METADATA_MAX_AGE_MS = 10_000
REBALANCE_TIMEOUT_MS = 30_000
LARGEST_RECORD_BYTES = 1_100_000
USUAL_RECORD_BYTES = 1_000


class LoopSubscriber(BatchSubscriber):
    """A batch subscriber whose records go to our loop."""

    __slots__ = ()

    async def start(self) -> None:
        await super(LogicSubscriber, self).start()
        loop = self._listener
        assert isinstance(loop, WorkerLoop)
        consumer: AIOKafkaConsumer = self.builder(
            group_id=self.group_id, client_id=self.client_id, **self._connection_args
        )
        self.consumer = consumer
        loop.use(consumer)
        consumer.subscribe(topics=self.topic_names_for_subscribe, listener=loop)
        await consumer.start()
        self._post_start()
        self.add_task(loop.run, restart_on_failure=False)

    async def stop(self) -> None:
        if self.consumer is not None and has_died(self.consumer):
            await bury(self.consumer)
            self.consumer = None
        await super().stop()


def make_broker(settings: Settings) -> KafkaBroker:
    """Return the broker that declares what the service reads and publishes. It has no producer: the relay has one of its own."""
    broker = KafkaBroker(
        settings.kafka,
        client_id=connection_options(settings)["client_id"],
        security=_security(settings),
        logger=None,
        ack_policy=AckPolicy.MANUAL,
        consumer_only=True,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        allow_auto_create_topics=False,
        graceful_timeout=30,
    )
    broker.publisher(settings.topic(settings.service), description=f"The public log of the {settings.service} service.")
    return broker


def _security(settings: Settings) -> BaseSecurity:
    """Our credentials as FastStream takes them."""
    options = settings.kafka_security
    context = options.get("ssl_context")
    kind = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}.get(
        options.get("sasl_mechanism", "")
    )
    if kind is None:
        return BaseSecurity(ssl_context=context)
    return kind(options["sasl_plain_username"], options["sasl_plain_password"], ssl_context=context)


def subscribe(broker: KafkaBroker, loop: WorkerLoop, sources: Sequence[str], settings: Settings) -> LoopSubscriber:
    """Declare that `loop` reads the topics of these services, its own name being the consumer group."""

    async def read(_: Sequence[Any]) -> None:
        """Read the events of other services and our own into read models and reactions."""

    # What is fetched at once is what a batch takes; it bounds the memory of a worker with a backlog.
    fetched = max(2_000_000, settings.max_batch * USUAL_RECORD_BYTES)
    subscriber = broker.subscriber(
        *(settings.topic(source) for source in sources),
        batch=True,
        group_id=f"{settings.namespace}.{loop.name}",
        group_instance_id=settings.instance,
        auto_offset_reset="none",
        ack_policy=AckPolicy.MANUAL,
        listener=loop,
        # Equal partitions of all topics to one member: so one worker at a time touches what belongs to one customer.
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=settings.session_timeout_ms // 4,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        fetch_max_bytes=fetched,
        max_partition_fetch_bytes=max(LARGEST_RECORD_BYTES, fetched // 2),
        title=loop.name,
    )
    subscriber(read)
    subscriber.__class__ = LoopSubscriber
    assert isinstance(subscriber, LoopSubscriber)
    return subscriber
