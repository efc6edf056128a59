import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

import till_events.catalogue  # noqa: F401 - declares every event
from till_events.base import declarations
from till_events.contract.asyncapi import asyncapi
from till_events.envelope import Envelope, to_headers
from till_events.topics import OWNERS

PUBLIC = [declared for declared in declarations() if declared.public]


@pytest.fixture(scope="module")
def valid():
    """Whether a document is AsyncAPI, by AsyncAPI's own schema."""
    schema = json.loads((Path(__file__).parent / "asyncapi" / "asyncapi-3.1.0.json").read_bytes())
    return Draft7Validator(schema).is_valid


@pytest.fixture(scope="module")
def document(samples):
    return asyncapi(declarations(), samples)


def test_the_document_is_valid_asyncapi(document, valid):
    assert valid(document)


def test_a_broken_document_is_not(document, valid):
    for broken in (
        {**document, "asyncapi": "9.9.9"},
        {**document, "info": {}},
        {**document, "operations": {"follow": {"action": "dance", "channel": {"$ref": "#/channels/order"}}}},
        {**document, "channels": {"order": {"address": 7}}},
    ):
        assert not valid(broken)


def test_every_topic_has_an_owner_who_writes_and_is_open_to_readers(document):
    assert {channel["address"] for channel in document["channels"].values()} == {f"till.{owner}" for owner in OWNERS}
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert actions == {f"{owner}.publish": "send" for owner in OWNERS} | {
        f"{owner}.follow": "receive" for owner in OWNERS
    }


def test_every_published_event_is_a_message_on_its_owners_topic_and_no_private_one_is(document):
    on_topics = {(owner, name) for owner, channel in document["channels"].items() for name in channel["messages"]}
    assert on_topics == {(declared.owner, f"{declared.name}.v{declared.major}") for declared in PUBLIC}
    for operation in document["operations"].values():
        owner = operation["channel"]["$ref"].rpartition("/")[2]
        assert len(operation["messages"]) == len(document["channels"][owner]["messages"])


def test_every_message_tells_its_payload_headers_key_and_shows_examples(document):
    for message in document["components"]["messages"].values():
        assert message["payload"]["$ref"].startswith("#/components/schemas/")
        assert message["bindings"]["kafka"]["key"]["type"] == "string"
        assert message["contentType"] == "application/json"
        assert len(message["examples"]) >= 2
        assert message["summary"].endswith(".")


def test_the_headers_described_are_the_headers_sent(document, samples):
    described = document["components"]["schemas"]["Headers"]
    sent = [
        *(name for name, _ in to_headers(every_attribute())),
        "ce_prevposition",
        "ce_signature",
    ]  # which the relay adds
    assert sent == list(described["properties"])
    fewest = min((sample.headers for sample in samples), key=len)
    assert set(described["required"]) == set(fewest)


def every_attribute() -> Envelope:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    return Envelope(
        id="i", type="tillstream.order.OrderPlaced.v1", source="s", subject="s", key="k", sequence=1, position=1, time=moment,
        recorded_at=moment, correlation_id="c", causation_id="c", actor="a", store_id="s", traceparent="t",
    )  # fmt: skip


def test_the_examples_are_what_the_message_says(document):
    for name, message in document["components"]["messages"].items():
        wanted = {
            "allOf": [message["headers"], {"type": "object"}],
            "components": document["components"],
        }
        headers, payload = (
            Draft7Validator(wanted),
            Draft7Validator({**message["payload"], "components": document["components"]}),
        )
        for example in message["examples"]:
            assert headers.is_valid(example["headers"]), name
            assert payload.is_valid(example["payload"]), name
            assert not headers.is_valid({**example["headers"], "ce_type": "com.example.Other"})
            assert not payload.is_valid({**example["payload"], "occurred_at": 7})


def test_all_references_lead_somewhere(document):
    def references(node):
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    found = set(references(document))
    assert len(found) > 100
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_the_same_events_give_the_same_document(document, samples):
    again = asyncapi(copy.copy(declarations()), reversed(samples))
    assert json.dumps(again) == json.dumps(document)
