import asyncio

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError

from till_platform.kafka.refusals import Refusal, denial, explain, hidden
from till_platform.settings import KafkaSettings


class Consumer:
    def __init__(self, *shown):
        self.shown = shown

    def subscription(self):
        return {"till.order", "till.customer"}

    def partitions_for_topic(self, topic):
        return {0} if topic in self.shown else None


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (TopicAuthorizationFailedError({"till.order"}), "topic: till.order"),
        (TopicAuthorizationFailedError("till.order"), "topic: till.order"),
        (GroupAuthorizationFailedError("till.order.worker"), "group: till.order.worker"),
    ],
)
def test_a_denial_names_what_is_denied_and_where_to_look(error, named):
    assert named in denial(error)
    assert "till access list" in denial(error)


def test_other_errors_are_no_denials():
    assert denial(KafkaConnectionError("Unable to bootstrap")) is None


def test_a_topic_that_kafka_does_not_show_is_named():
    assert "till.customer" in hidden(Consumer("till.order"))
    assert hidden(Consumer("till.order", "till.customer")) is None


def test_a_refusal_is_not_forgotten_by_the_next_success(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("till_platform.kafka.refusals.time.monotonic", lambda: now[0])
    refusal = Refusal()
    refusal.note("no")
    refusal.note(None)
    assert refusal.why == "no"
    now[0] += 11
    assert refusal.why is None


def test_an_open_kafka_that_does_not_answer_is_no_question_of_credentials():
    settings = KafkaSettings.read(service="order", kafka="127.0.0.1:9")
    told = asyncio.run(explain(KafkaConnectionError("Unable to bootstrap"), settings))
    assert "TILL_KAFKA_PASSWORD" not in told
