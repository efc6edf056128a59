"""What an aggregate holds, as plain JSON for people, whatever it is made of; and what changed between two of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

import msgspec

from till_platform.domain import Aggregate

_PLUMBING = {"id", "key", "version", "_pending"}
NOTHING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not what it was; `before` or `after` is None where there was, or is, no such thing."""

    path: str
    before: Any
    after: Any


def state_of(aggregate: Aggregate) -> dict[str, Any]:
    """Return what an aggregate's events add up to: its attributes, and theirs, by name."""
    return {name.lstrip("_"): plain(value) for name, value in _attributes(aggregate) if name not in _PLUMBING}


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {_text(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    inside = dict(_attributes(value))
    return {name.lstrip("_"): plain(inner) for name, inner in inside.items()} if inside else str(value)


def changes(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """Compare two states and name what is not the same, each part by its path."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            where = f"{path}.{name}" if path else name
            yield from changes(before.get(name, NOTHING), after.get(name, NOTHING), where)
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from changes(_item(before, place), _item(after, place), f"{path}[{place}]")
    elif before is NOTHING or after is NOTHING or before != after:
        yield Change(path, None if before is NOTHING else before, None if after is NOTHING else after)


def _item(items: list[Any], place: int) -> Any:
    return items[place] if place < len(items) else NOTHING


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, msgspec.Struct):
        yield from ((name, getattr(value, name)) for name in value.__struct_fields__)
        return
    for cls in reversed(type(value).__mro__):
        slots = cls.__dict__.get("__slots__", ())
        yield from (
            (name, getattr(value, name))
            for name in ([slots] if isinstance(slots, str) else slots)
            if hasattr(value, name)
        )
    yield from getattr(value, "__dict__", {}).items()


def _text(name: Any) -> str:
    simple = plain(name)
    if isinstance(simple, dict):
        simple = list(simple.values())
    return " ".join(str(part) for part in simple if part is not None) if isinstance(simple, list) else str(simple)
