"""Where a read model and its rebuild part, told without telling who somebody is."""

from collections.abc import Mapping
from typing import Any

from tillstream.events.masking import MASK, plain_fields

_SAFE = (bool, int, float, type(None))

Found = dict[str, Any]


def shown(difference: Found, *, unmask: bool) -> Found:
    """Return a difference as it may be seen: in columns that might be personal only whether they are the same is told."""
    if unmask:
        return difference
    masked = {name: _masked(difference[name]) for name in ("key", "live", "rebuilt")}
    return {**difference, **masked}


def told(one: Found) -> str:
    """Return the sentence of a read model that is not what its topics make of it."""
    head = f"read model {one['name']} of {one['service']} is {one['digest']}, rebuilt it is {one['rebuilt_digest']}"
    found = one["difference"]
    if not found:
        return f"{head}; a moment later every row was the same"
    key = ", ".join(f"{name} {value}" for name, value in found["key"].items())
    events = ", ".join(
        f"{event['topic']} position {event['position']} {event['type'].split('.')[-2]} {event['stream']}@{event['sequence']}"
        for event in found["events"]
    )
    return f"{head}; first of {found['rows']} rows: {found['table']} ({key}) {_what(found)}; events: {events or 'none'}"


def _what(found: Found) -> str:
    live, rebuilt = found["live"], found["rebuilt"]
    if live is None:
        return "is missing"
    if rebuilt is None:
        return "should not be there"
    return ", ".join(f"{name} is {live[name]}, rebuilt {rebuilt[name]}" for name in found["columns"])


def _masked(row: Mapping[str, Any] | None) -> Found | None:
    if row is None:
        return None
    plain = plain_fields()
    return {name: value if name in plain or isinstance(value, _SAFE) else MASK for name, value in row.items()}
