"""The AsyncAPI document: every topic, who writes it, and every message on it with its headers and key."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from till_events.contract.headers import HEADERS
from till_events.contract.sample import Sample
from till_events.contract.schema import key_of, tidy
from till_events.envelope import schema_url
from till_events.registry import Declaration
from till_events.topics import DEFAULT_PARTITIONS, OWNERS, topic_of

VERSION = "1.1.0"
"""Of the contracts as a whole: the second number rises with a new field or event, the first with a new major of an event."""

BINDING = "0.5.0"

ABOUT = """\
What happens in a chain of shops, for everybody who wants to know. One topic per service; on it everything of one customer, and
else everything of one stream, is in order. Values are JSON, what is known about an event travels in its headers (CloudEvents
1.0, binary mode). Within a major version fields are only added: readers ignore fields and skip types they do not know.
"""

KEYS = {
    "customer_id": "The customer the event is about",
    "stream": "The stream (`ce_subject`)",
}


def asyncapi(declared: Sequence[Declaration], samples: Iterable[Sample] = ()) -> dict[str, Any]:
    """Return the document, version 3.1, for all published events among `declared`. The same events always give the same document."""
    public = [declaration for declaration in declared if declaration.public]
    examples = list(samples)
    refs, schemas = msgspec.json.schema_components(
        [declaration.cls for declaration in public], ref_template="#/components/schemas/{name}"
    )
    messages = {
        _name(declaration): _message(declaration, payload, examples)
        for declaration, payload in zip(public, refs, strict=True)
    }
    owners = [owner for owner in OWNERS if any(declaration.owner == owner for declaration in public)]
    return {
        "asyncapi": "3.1.0",
        "id": "https://tillstream.dev/contracts/asyncapi.yaml",
        "info": {
            "title": "Tillstream events",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {owner: _channel(owner, public) for owner in owners},
        "operations": {name: operation for owner in owners for name, operation in _operations(owner, public).items()},
        "components": {
            "messages": messages,
            "messageTraits": {"recorded": _recorded()},
            "schemas": {"Headers": HEADERS, **{name: tidy(schema) for name, schema in sorted(schemas.items())}},
        },
    }


def _name(declared: Declaration) -> str:
    return f"{declared.name}.v{declared.major}"


def _of(owner: str, public: Iterable[Declaration]) -> list[str]:
    return [_name(declared) for declared in public if declared.owner == owner]


def _channel(owner: str, public: Iterable[Declaration]) -> dict[str, Any]:
    return {
        "address": topic_of(owner),
        "title": f"Everything the {owner} service recorded",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _of(owner, public)},
        "bindings": {"kafka": {"topic": topic_of(owner), "partitions": DEFAULT_PARTITIONS, "bindingVersion": BINDING}},
    }


def _operations(owner: str, public: Iterable[Declaration]) -> dict[str, Any]:
    common = {
        "channel": {"$ref": f"#/channels/{owner}"},
        "messages": [{"$ref": f"#/channels/{owner}/messages/{name}"} for name in _of(owner, public)],
    }
    group = {"type": "string", "description": "`till.<service>.<purpose>`, or a name of the subscriber's own"}
    return {
        f"{owner}.publish": {
            "action": "send",
            "title": f"The {owner} service publishes its log",
            "description": "In the order of recording, at least once. Only the owner writes here.",
            **common,
        },
        f"{owner}.follow": {
            "action": "receive",
            "title": f"Anybody follows the {owner} service",
            "description": "Repeats are possible: an event is known by its `ce_id`.",
            **common,
            "bindings": {"kafka": {"groupId": group, "bindingVersion": BINDING}},
        },
    }


def _message(declared: Declaration, payload: dict[str, Any], samples: Iterable[Sample]) -> dict[str, Any]:
    own = sorted((sample for sample in samples if sample.type == declared.type), key=lambda sample: sample.number)
    examples = [
        {"name": f"sample{sample.number}", "headers": sample.headers, "payload": sample.payload} for sample in own
    ]
    what = (declared.cls.__doc__ or "").partition("\n")[0]
    return {
        "name": declared.type,
        "title": declared.name,
        "summary": what,
        "contentType": "application/json",
        "tags": [{"name": declared.owner}],
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/Headers"},
                {
                    "type": "object",
                    "properties": {
                        "ce_type": {"type": "string", "const": declared.type},
                        "ce_dataschema": {"type": "string", "const": schema_url(declared.type)},
                    },
                },
            ]
        },
        "payload": payload,
        "traits": [{"$ref": "#/components/messageTraits/recorded"}],
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": "; if there is none: ".join(KEYS[part] for part in key_of(declared)),
                },
                "bindingVersion": BINDING,
            }
        },
        **({"examples": examples} if examples else {}),
    }


def _recorded() -> dict[str, Any]:
    return {
        "correlationId": {
            "location": "$message.header#/ce_correlationid",
            "description": "What everything that follows from one request has in common",
        },
        "externalDocs": {"description": "CloudEvents", "url": "https://cloudevents.io"},
    }
