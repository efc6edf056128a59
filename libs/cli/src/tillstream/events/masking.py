"""Who somebody is, hidden: the fields that the events themselves mark as personal."""

from functools import cache
from typing import Any

import msgspec

from till_events import catalogue
from till_events.base import Personal, declarations, fields_marked

MASK = "***"


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
