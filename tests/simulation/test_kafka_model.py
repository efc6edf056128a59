"""The model of Kafka does what Kafka does, in every way our code leans on it: in scripts made for it, and in some made by chance."""

from uuid import uuid4

import pytest
from faultlab.simulation import kafka

from .kafkas import OnKafka, OnTheModel, made_up

SCRIPTS = {
    "offsets follow one another, by partition": [("send", (0, 3)), ("send", (1, 2)), ("send", (0, 1)), ("ends", ())],
    "who reads from an offset gets what stands there": [
        ("send", (0, 4)),
        ("fetch", (0, 0)),
        ("fetch", (0, 3)),
        ("fetch", (0, 4)),
        ("fetch", (1, 0)),
    ],
    "behind the end there is nothing to read from": [("send", (0, 2)), ("fetch", (0, 3)), ("fetch", (1, 1))],
    "a batch whose answer was lost stands there once": [
        ("send losing the answer", (0, 3)),
        ("send", (0, 1)),
        ("send losing the answer", (0, 1)),
        ("fetch", (0, 0)),
    ],
    "offsets go on when records are deleted": [
        ("send", (0, 3)),
        ("empty", ()),
        ("begins", ()),
        ("ends", ()),
        ("fetch", (0, 0)),
        ("fetch", (0, 3)),
        ("before", (0, 3)),
        ("send losing the answer", (0, 2)),
        ("fetch", (0, 3)),
        ("before", (0, 5)),
    ],
    "a topic made anew begins at nought, and the same producer goes on": [
        ("send", (0, 3)),
        ("send", (1, 1)),
        ("wipe", ()),
        ("ends", ()),
        ("fetch", (0, 3)),
        ("send", (0, 2)),
        ("send losing the answer", (1, 2)),
        ("fetch", (0, 0)),
        ("fetch", (1, 0)),
        ("before", (0, 2)),
        ("before", (0, 4)),
    ],
    **{f"made up from seed {seed}": made_up(seed) for seed in range(6)},
}


@pytest.mark.integration
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_model_does_what_kafka_does(infra, name):
    script = SCRIPTS[name]
    assert OnTheModel().run(script) == OnKafka(infra.kafka, f"model{uuid4().hex[:8]}").run(script)


def differs(infra, name, **how):
    script = SCRIPTS[name]
    return OnTheModel(**how).run(script) != OnKafka(infra.kafka, f"model{uuid4().hex[:8]}").run(script)


@pytest.mark.integration
def test_control_a_model_that_writes_a_batch_again_is_found_out(infra):
    assert differs(infra, "a batch whose answer was lost stands there once", idempotent=False)


@pytest.mark.integration
def test_control_a_model_whose_offsets_begin_again_is_found_out(infra, monkeypatch):
    def from_nought(partition, _):
        partition.records.clear()

    monkeypatch.setattr(kafka.Partition, "delete_before", from_nought)
    assert differs(infra, "offsets go on when records are deleted")
