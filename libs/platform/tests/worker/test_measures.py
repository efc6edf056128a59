"""How far behind a worker says it is: in records, and in seconds."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from till_platform.http.probes import NotReady
from till_platform.process import Running, _checks
from till_platform.worker.cursor import Cursor
from till_platform.worker.measures import FRESH_SECONDS, Measures


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Kafka:
    """What the gauges ask of a consumer."""

    def __init__(self, end: int) -> None:
        self.end = end

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("t", 0)}

    def highwater(self, _: TopicPartition) -> int:
        return self.end


def figure(name: str, consumer: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"consumer": consumer, "topic": "t", "partition": "0"})


def test_what_is_ahead_is_as_old_as_the_moment_when_nothing_was():
    clock, kafka = Clock(), Kafka(end=5)
    measures = Measures("age.worker", {"age_of_a_read_model": ["t"]}, clock)
    measures.observe(kafka, {("t", 0): Cursor(5, 5)})
    assert figure("till_consumer_lag_seconds", "age.worker") == 0
    kafka.end, clock.now = 8, clock.now + 30
    measures.observe(kafka, {("t", 0): Cursor(5, 5)})
    assert figure("till_consumer_lag_events", "age.worker") == 3
    assert figure("till_consumer_lag_seconds", "age.worker") == 30
    assert REGISTRY.get_sample_value("till_projection_age_seconds", {"projection": "age_of_a_read_model"}) == 30
    clock.now += 10
    measures.observe(kafka, {("t", 0): Cursor(8, 8)})
    assert figure("till_consumer_lag_seconds", "age.worker") == 0


def test_a_loop_that_stands_still_grows_old_even_if_nothing_was_ahead_when_it_stopped():
    clock = Clock()
    Measures("still.worker", {}, clock).observe(Kafka(end=5), {("t", 0): Cursor(5, 5)})
    clock.now += FRESH_SECONDS + 5
    assert figure("till_consumer_lag_seconds", "still.worker") == FRESH_SECONDS + 5


def test_after_a_start_the_age_is_that_of_the_last_event_taken():
    clock = Clock()
    measures = Measures("old.worker", {}, clock)
    recorded = SimpleNamespace(timestamp=lambda: clock.now - 3_600)
    entry = SimpleNamespace(partition=("t", 0), fact=SimpleNamespace(recorded_at=recorded))
    measures.taken(SimpleNamespace(entries=[entry], repeats=0), 0.1)
    measures.observe(Kafka(end=900), {("t", 0): Cursor(5, 5)})
    assert figure("till_consumer_lag_seconds", "old.worker") == pytest.approx(3_600)


def test_a_partition_that_was_given_away_is_not_told_any_more():
    measures = Measures("away.worker", {}, Clock())
    measures.observe(Kafka(end=9), {("t", 0): Cursor(5, 5)})
    assert figure("till_consumer_lag_events", "away.worker") == 4
    measures.observe(Kafka(end=9), {})
    assert figure("till_consumer_lag_events", "away.worker") is None


def test_headroom_is_below_zero_when_something_was_deleted_unread():
    measures = Measures("short.worker", {}, Clock())
    measures.kept({("t", 0): 3}, {("t", 0): Cursor(5, 5)})
    assert figure("till_retention_headroom_records", "short.worker") == 2
    measures.kept({("t", 0): 7}, {("t", 0): Cursor(5, 5)})
    assert figure("till_retention_headroom_records", "short.worker") == -2
    assert REGISTRY.get_sample_value("till_topic_oldest_kept_offset", {"topic": "t", "partition": "0"}) == 7


async def test_a_worker_that_is_further_behind_than_it_may_be_is_not_ready():
    clock, kafka = Clock(), Kafka(end=5)
    measures = Measures("ready.worker", {}, clock)

    def standing(limit: float | None):
        worker = SimpleNamespace(measures=measures)
        settings = SimpleNamespace(ready_age_seconds=limit)
        return _checks(Running(None, settings, frozenset({"worker"}), worker=worker))["projections"]()

    measures.observe(kafka, {("t", 0): Cursor(5, 5)})
    assert await standing(600) == {"age_seconds": 0}
    kafka.end, clock.now = 8, clock.now + 601
    measures.observe(kafka, {("t", 0): Cursor(5, 5)})
    with pytest.raises(NotReady, match="older than they may be"):
        await standing(600)
    assert await standing(700) == await standing(None) == {"age_seconds": 601}
