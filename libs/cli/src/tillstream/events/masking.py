"""Who somebody is, hidden: the fields that the events themselves mark as personal."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec

from till_events import catalogue
from till_events.base import Personal, declarations, fields_marked

MASK = "***"
SHORT = 3


def masked(type_name: str, data: bytes) -> bytes:
    """Return the content of an event without what tells who somebody is; the very same bytes where there is nothing to hide.

    Of an event this code does not know, nothing but the names of its fields is shown; of bytes that are not JSON, nothing.
    """
    paths = _personal(type_name)
    if paths == ():
        return data
    try:
        content = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.json.encode(MASK)
    if paths is None:
        return msgspec.json.encode(_hidden(content))
    found = [_hide(content, path) for path in paths]
    return msgspec.json.encode(content) if any(found) else data


@cache
def plain_fields() -> frozenset[str]:
    """Return the names of fields that some event has and that are personal in none: what else is called so may be shown."""
    assert catalogue  # importing it declares every event
    names: set[str] = set()
    personal: set[str] = set()
    for declared in declarations():
        names.update(field.name for field in msgspec.structs.fields(declared.cls))
        personal.update(part for path in fields_marked(declared.cls, Personal) for part in path.split("."))
    return frozenset(names - personal)


@cache
def _personal(type_name: str) -> tuple[tuple[str, ...], ...] | None:
    assert catalogue  # importing it declares every event
    for declared in declarations():
        if declared.type == type_name:
            return tuple(tuple(path.split(".")) for path in fields_marked(declared.cls, Personal))
    return None


def _hide(content: Any, path: tuple[str, ...]) -> bool:
    """Hide what is at the path, in every item where lists are on the way; return whether anything was there."""
    if isinstance(content, list):
        found = [_hide(item, path) for item in content]
        return any(found)
    first, *rest = path
    if not isinstance(content, dict) or content.get(first) is None:
        return False
    if rest:
        return _hide(content[first], tuple(rest))
    content[first] = _hidden(content[first])
    return True


def _hidden(value: Any) -> Any:
    """Hide a value and keep its shape."""
    if isinstance(value, dict):
        return {name: _hidden(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    return MASK


class Mask:
    """Hides who somebody is in what was made of events: fields of the names, and texts with the values, that are personal in them."""

    def __init__(self, events: Iterable[tuple[str, bytes]]) -> None:
        """Learn from the type and the content of each event."""
        self._names: set[str] = set()
        self._values: set[str] = set()
        for type_name, data in events:
            for path in _personal(type_name) or ():
                self._names.add(path[-1])
                with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self._values.update(_texts(_found(msgspec.json.decode(data), path)))

    def state(self, value: Any) -> Any:
        """Return a value made of plain JSON as it may be seen."""
        if isinstance(value, dict):
            return {
                self._text(name): _hidden(inner) if name in self._names and inner is not None else self.state(inner)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.state(inner) for inner in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if text in self._values:
            return MASK
        for told in sorted(self._values, key=len, reverse=True):
            if len(told) > SHORT:  # what is shorter may be part of any word
                text = text.replace(told, MASK)
        return text


def _found(content: Any, path: tuple[str, ...]) -> Any:
    if isinstance(content, list):
        return [_found(item, path) for item in content]
    if not path or not isinstance(content, dict):
        return content if not path else None
    return _found(content.get(path[0]), path[1:])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str) and value:
        yield value
