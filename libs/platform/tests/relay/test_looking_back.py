"""What a relay sees when it reads the last records it knows of; on real Kafka: `worker/test_refill.py`."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from till_platform.relay import kafka_side
from till_platform.relay.kafka_side import KafkaSide
from till_platform.settings import Settings


class Viewer:
    """A client that finds these log positions, by partition; None is a record that says none."""

    def __init__(self, positions, *, begins=0, refused=None):
        self.positions = positions
        self.begins = begins
        self.refused = refused
        self.assigned = []
        self.sought = {}

    async def beginning_offsets(self, places):
        return dict.fromkeys(places, self.begins)

    def assign(self, places):
        self.assigned = places

    def unsubscribe(self):
        self.assigned = []

    def seek(self, place, offset):
        self.sought[place] = offset

    async def getone(self, place):
        assert place in self.assigned
        if self.refused is not None:
            raise self.refused
        position = self.positions[place.partition]
        headers = [("ce_logposition", b"%d" % position)] if position is not None else [("ce_id", b"rubbish")]
        return SimpleNamespace(topic=place.topic, partition=place.partition, offset=self.sought[place], headers=headers)


@pytest.fixture
def side():
    return KafkaSide(Settings.read(service="order", environment="local", pg="", redis="", kafka=""))


async def seen(side, viewer, ends):
    side._viewer = viewer
    found = await side.positions_before(ends)
    assert viewer.assigned == [], "it lets go of the topic"
    return found


async def test_the_record_before_each_end_says_its_position_or_that_it_is_nothing_of_ours(side):
    viewer = Viewer({0: 7, 1: None})
    assert await seen(side, viewer, {0: 3, 1: 9, 2: 0}) == {0: 7, 1: None}
    assert viewer.sought == {TopicPartition("till.order", 0): 2, TopicPartition("till.order", 1): 8}


async def test_a_record_that_was_deleted_says_nothing(side):
    assert await seen(side, Viewer({0: 7}, begins=3), {0: 3}) == {}


async def test_who_may_write_a_topic_and_not_read_it_sees_nothing_and_goes_on(side):
    assert await seen(side, Viewer({0: 7}, refused=TopicAuthorizationFailedError("till.order")), {0: 3}) == {}


async def test_records_that_do_not_come_are_asked_for_again_later(side, monkeypatch):
    monkeypatch.setattr(kafka_side, "PATIENCE_SECONDS", 0.01)
    with pytest.raises(KafkaTimeoutError):
        await seen(side, Viewer({0: 7}, refused=TimeoutError()), {0: 3})
