"""JSON Schema 2020-12 of every published event, made from its class."""

from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc
from typing import Any

import msgspec

from till_events.contract.sample import Sample
from till_events.envelope import schema_url
from till_events.registry import Declaration
from till_events.topics import topic_of

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def event_schema(declared: Declaration, samples: Iterable[Sample] = ()) -> Schema:
    """Return the schema of one event, complete in itself, with its samples as examples.

    Beside what JSON Schema knows: `x-type`, `x-topic` and `x-key` say how the event travels, `x-pii` marks personal fields,
    `x-known-values` lists the values of an open list known today.
    """
    (_,), parts = msgspec.json.schema_components([declared.cls], ref_template="#/$defs/{name}")
    tidied = {name: tidy(part) for name, part in sorted(parts.items())}
    schema = tidied.pop(declared.cls.__name__)
    return {
        "$schema": DIALECT,
        "$id": schema_url(declared.type),
        **schema,
        "title": declared.name,
        "x-type": declared.type,
        "x-topic": topic_of(declared.owner),
        "x-key": key_of(declared),
        **({"$defs": tidied} if tidied else {}),
        **examples_of(declared, samples),
    }


def schema_path(declared: Declaration) -> str:
    """Return where the schema is kept below `contracts/`, e.g. `events/order/OrderPlaced.v1.json`."""
    return f"events/{declared.owner}/{declared.name}.v{declared.major}.json"


def key_of(declared: Declaration) -> list[str]:
    """Return what the Kafka key of the event's stream is taken from, first that is there: the customer it is about, else its stream."""
    fields = {field.name: field for field in msgspec.structs.fields(declared.cls)}
    if "customer_id" not in fields:
        return ["stream"]
    return ["customer_id"] if fields["customer_id"].required else ["customer_id", "stream"]


def examples_of(declared: Declaration, samples: Iterable[Sample]) -> Mapping[str, Sequence[Any]]:
    """Return the samples of one event in the form a schema lists its examples, or nothing when there are none."""
    own = sorted((sample for sample in samples if sample.type == declared.type), key=lambda sample: sample.number)
    return {"examples": [sample.payload for sample in own]} if own else {}


def tidy(node: Any) -> Any:
    """Return a schema as people read it: docstrings without their indentation, the mark of a personal field on the field itself."""
    if isinstance(node, list):
        return [tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidied = {name: tidy(value) for name, value in node.items()}
    if isinstance(text := tidied.get("description"), str):
        tidied["description"] = cleandoc(text)
    options = tidied.get("anyOf", [])
    if any("x-pii" in option for option in options):
        tidied["anyOf"] = [{name: value for name, value in option.items() if name != "x-pii"} for option in options]
        tidied["x-pii"] = True
    return tidied
