"""A topic that is wiped between two looks of its relay: the next record is sent into the empty topic before anybody knows."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from till_events.order import OrderPaymentRecorded
from till_platform.context import Context
from till_platform.domain import RecordedEvent
from till_platform.eventstore.append import Commit, append
from till_platform.eventstore.stored import LoggedEvent
from till_platform.kafka.topics import ensure_topics
from till_platform.parts import connect
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.relay import Relay
from till_platform.relay.republish import Republish
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


class Mortal(Relay):
    """Dies of what it is told: that its topic lost records. It has sent some by then, and marked nothing."""

    async def _refill(self, lost):
        raise SystemError(f"killed, {sorted(lost)} never noted")


def record(settings, amounts):
    """Record payments of another order of the same customer, as the service does."""
    with connect(settings) as connection, connection.transaction():
        payments = [
            LoggedEvent.of(RecordedEvent("order-late", number, paid(amount=amount), "ann"))
            for number, amount in enumerate(amounts, start=1)
        ]
        (outcome,) = append(connection, [Commit(payments, Context(correlation_id="test"))])
        assert isinstance(outcome, int), outcome


def relay_of(settings, kind=Relay):
    return kind("order", lambda: connect(settings, long=True), KafkaSide(settings))


async def until(reached):
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 - a relay tells nobody
            await asyncio.sleep(0.02)


async def dies_in_a_topic_made_anew(settings, amounts):
    """Let a relay lead, wipe its topic, and let it send so many records there that the topic is as long as it was."""
    relay = relay_of(settings, Mortal)
    running = asyncio.create_task(relay.run())
    await until(lambda: relay.ready)
    await wipe(settings)
    await asyncio.to_thread(record, settings, amounts)
    with pytest.raises(SystemError, match="killed"):
        await running


async def takes_over(settings, position):
    relay = relay_of(settings)
    running = asyncio.create_task(relay.run())
    await until(lambda: relay.ready and relay.position == position)
    relay.stop()
    await running


@pytest.mark.parametrize("looks_back", [True, False], ids=["looks back", "control: goes by the end"])
def test_whoever_leads_after_a_relay_that_died_in_a_topic_made_anew_refills_it(infra, monkeypatch, looks_back):
    with Neighbours(infra, f"regrown{looks_back}".lower()) as neighbours:
        neighbours.tell(*[paid(amount=amount) for amount in (1, 2, 3)])
        settings = neighbours.settings_of("order")
    asyncio.run(dies_in_a_topic_made_anew(settings, (4, 5, 6, 7)))
    if not looks_back:

        async def nothing(*_):
            return {}

        monkeypatch.setattr(KafkaSide, "positions_before", nothing)
    asyncio.run(takes_over(settings, 7))
    polled = asyncio.run(all_records(settings))
    reading = Reader([OrderPaymentRecorded]).read(polled, dict.fromkeys(polled, Cursor()))
    amounts, holes = (
        [entry.fact.event.amount_minor for entry in reading.entries],
        {cursor.hole for cursor in reading.after.values()} - {None},
    )
    assert (amounts, holes) == (([1, 2, 3, 4, 5, 6, 7], set()) if looks_back else ([], {3}))


async def records_after_a_restart_of_the_relay(settings):
    """Let a part of the log be published again, and the relay start after that; return how many records there are."""
    again = Republish("order", lambda: connect(settings, long=True), KafkaSide(settings))
    assert await again.once(lambda _, __: None, first=2, last=2) == (2, 2)
    await takes_over(settings, 3)
    return sum(map(len, (await all_records(settings)).values()))


def test_a_part_published_again_is_not_taken_for_a_topic_made_anew(infra):
    with Neighbours(infra, "inpart") as neighbours:
        neighbours.tell(*[paid(amount=amount) for amount in (1, 2, 3)])
        settings = neighbours.settings_of("order")
    assert asyncio.run(records_after_a_restart_of_the_relay(settings)) == 4
