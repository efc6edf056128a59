"""What may change in a published contract, and what would break somebody who relies on it.

Within a major version a schema must stay compatible in both directions: today's readers must read what will be recorded, and
tomorrow's readers must read what was recorded, for ever. A new major is free, but the old one stays.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from jsoncompat import check_compat

from till_events.contract.schema import Schema

EXACTLY = ("pattern", "format", "default", "minimum", "maximum")
"""What must not change on a field although its values keep their JSON type. An absent field is read as its default: another default
would change the meaning of what was recorded."""

COMMENTARY = ("$schema", "$id", "title", "description", "default", "examples")
"""What a schema says beside which values it takes."""


class Breach(msgspec.Struct, frozen=True, order=True):
    """One change that would break somebody: in which contract, and how."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def breaches(published: Mapping[str, Schema], proposed: Mapping[str, Schema]) -> list[Breach]:
    """Compare event schemas by their path below `contracts/`, the published ones with those proposed in their stead."""
    found = [Breach(path, "is published and must not disappear") for path in published.keys() - proposed.keys()]
    for path in published.keys() & proposed.keys():
        found += [Breach(path, reason) for reason in _reasons(published[path], proposed[path])]
    return sorted(found)


def _reasons(old: Schema, new: Schema) -> list[str]:
    before, after = dict(_fields(old)), dict(_fields(new))
    reasons = [
        f"{mark} was {old[mark]} and is {new.get(mark)}: events would travel elsewhere than their readers look"
        for mark in ("x-type", "x-topic", "x-key")
        if mark in old and old[mark] != new.get(mark)
    ]
    for name in before.keys() & after.keys():
        reasons += _changes(name, before[name], after[name])
    differences = ", ".join(_differences(before, after))
    if not check_compat(_text(_shape(old, closed=True)), _text(_shape(new, closed=False)), "deserializer"):
        reasons.append(f"new readers could not read what was recorded ({differences or 'its shape changed'})")
    elif not check_compat(_text(_shape(old, closed=False)), _text(_shape(new, closed=True)), "serializer"):
        reasons.append(f"today's readers could not read what would be recorded ({differences or 'its shape changed'})")
    elif differences:
        reasons.append(differences)
    return reasons


def _changes(name: str, old: Schema, new: Schema) -> Iterator[str]:
    if old.get("x-pii") and not new.get("x-pii"):
        yield f"{name} is no longer marked as personal (x-pii)"
    for word in EXACTLY:
        if old.get(word) != new.get(word):
            yield f"{name}: {word} was {_text(old.get(word))} and is {_text(new.get(word))}"


def _differences(before: Mapping[str, Schema], after: Mapping[str, Schema]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new, part = before.get(name), after.get(name), name.rpartition(".")[0]
        if part and (part in before) != (part in after):
            continue  # the whole part came or went, which is told of the part
        if not old and new and new["required"]:
            yield f"{name} was added and is required"
        elif not new and old and old["required"]:
            yield f"{name} was removed and was required"
        elif old and new and old["kind"] != new["kind"]:
            yield f"{name} was {old['kind']} and is {new['kind']}"
        elif old and new and old["required"] != new["required"]:
            yield f"{name} was {_need(old)} and is {_need(new)}"


def _need(field: Schema) -> str:
    return "required" if field["required"] else "optional"


def _shape(schema: Schema, *, closed: bool) -> Schema:
    """Reduce a schema to what decides which values it takes; `closed` as a writer keeps it, who adds no field that is not declared."""
    shape: Schema = {}
    for word, value in schema.items():
        if word in COMMENTARY or word.startswith("x-"):
            continue
        if word in ("properties", "$defs"):
            shape[word] = {name: _shape(part, closed=closed) for name, part in value.items()}
        elif word == "anyOf":
            shape[word] = [_shape(option, closed=closed) for option in value]
        else:
            shape[word] = _shape(value, closed=closed) if isinstance(value, dict) else value
    return {**shape, "additionalProperties": False} if closed and "properties" in shape else shape


def _fields(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Walk all fields by path, parts and list items included: `lines[].discounts[].amount_minor`."""
    yield from _inside(schema, schema, "", ())


def _inside(root: Schema, node: Schema, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, Schema]]:
    for option in node.get("anyOf", []):
        yield from _inside(root, option, path, seen)
    if isinstance(ref := node.get("$ref"), str) and ref not in seen:
        yield from _inside(root, root["$defs"][ref.removeprefix("#/$defs/")], path, (*seen, ref))
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(inner := node.get(word), dict):
            yield f"{path}{mark}", {**_flat(inner), "required": False, "kind": _kind(inner)}
            yield from _inside(root, inner, f"{path}{mark}", seen)
    for name, field in node.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        yield at, {**_flat(field), "required": name in node.get("required", []), "kind": _kind(field)}
        yield from _inside(root, field, at, seen)


def _flat(field: Schema) -> Schema:
    """Lay a field that may be null flat, so that what is said of its values is found in one place."""
    options = [option for option in field.get("anyOf", []) if option.get("type") != "null"]
    return {**(options[0] if len(options) == 1 else {}), **field}


def _kind(field: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(option) for option in field["anyOf"])
    if "$ref" in field:
        return "object"
    return str(field.get("type", "anything"))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
