"""A topic that is wiped between two looks of its relay: the next record is sent into the empty topic before anybody knows."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from till_events.order import OrderPaymentRecorded
from till_platform.kafka.topics import ensure_topics
from till_platform.settings import Settings
from till_platform.testing.neighbours import PARTITIONS, Neighbours
from till_platform.worker.cursor import Cursor
from till_platform.worker.reading import Reader

from .records import paid

pytestmark = pytest.mark.integration


async def wipe(settings):
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics([settings.topic("order")])
    finally:
        await admin.close()
    await ensure_topics(settings, ["order"])


async def all_records(settings):
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False) as client:
        places = [TopicPartition(settings.topic("order"), number) for number in range(PARTITIONS)]
        client.assign(places)
        ends = await client.end_offsets(places)
        for place in places:
            client.seek(place, 0)
        found = {(place.topic, place.partition): [] for place in places}
        while sum(map(len, found.values())) < sum(ends.values()):
            for place, records in (await client.getmany(timeout_ms=200)).items():
                found[place.topic, place.partition] += records
        return found


def test_a_record_sent_into_a_wiped_topic_tells_the_relay_and_stops_no_reader(infra):
    settings = Settings.read(
        service="loyalty",
        environment="local",
        pg=infra.database("refill"),
        kafka=infra.kafka,
        redis=infra.redis,
        partitions=PARTITIONS,
        namespace="refill",
    )
    with Neighbours(infra, "refill") as neighbours:
        neighbours.tell(*[paid(amount=amount) for amount in (1, 2, 3)])
        asyncio.run(wipe(settings))
        neighbours.tell(paid(amount=4))
    polled = asyncio.run(all_records(settings))
    (records,) = [found for found in polled.values() if found]
    assert dict(records[0].headers)["ce_prevposition"] != b"0", "control: it was sent before anybody knew"
    reading = Reader([OrderPaymentRecorded]).read(polled, dict.fromkeys(polled, Cursor()))
    assert [entry.fact.event.amount_minor for entry in reading.entries] == [1, 2, 3, 4]
    assert {cursor.hole for cursor in reading.after.values()} == {None}
