"""What every event is: a frozen fact with the time it happened. And the marks its fields may carry."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec

Owner = Literal["order", "customer", "loyalty", "notification", "analytics"]
"""The service whose log an event belongs to. Only the owner records it; everyone may read it."""

EXACT = 2**53 - 1
"""The largest whole number that every JSON reader in every language reads exactly (RFC 7493)."""

Whole = Annotated[int, msgspec.Meta(ge=-EXACT, le=EXACT)]
"""A whole number as all of them are on the wire: no further from zero than any reader can follow."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment in time with its offset, UTC by custom. A time without an offset is not a moment and is refused."""

Personal = msgspec.Meta(extra_json_schema={"x-pii": True})
"""Marks a field that tells who somebody is. Such a field is never part of a key, a header, a log line or a metric."""

PersonalText = Annotated[str, Personal]


def known(*values: str) -> msgspec.Meta:
    """Mark a text field as an open list of known values: readers must accept values that are added later."""
    return msgspec.Meta(extra_json_schema={"x-known-values": list(values)})


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened in the business. It is never changed and never deleted.

    `occurred_at` is the aware UTC time at which it happened where it happened: at the till, in the web shop, in the call centre.
    """

    occurred_at: Annotated[Moment, msgspec.Meta(description="When it happened, where it happened. UTC")]


def fields_marked(cls: type[msgspec.Struct], mark: msgspec.Meta) -> list[str]:
    """Name the fields of `cls` that carry `mark`, e.g. the personal ones; a field of a part is named by its path: `delivery.address`."""
    return list(_marked(cls, mark, ""))


def _marked(cls: type[msgspec.Struct], mark: msgspec.Meta, path: str) -> Iterator[str]:
    for name, hint in get_type_hints(cls, include_extras=True).items():
        inside = list(_flattened(hint))
        if any(mark in getattr(part, "__metadata__", ()) for part in inside):
            yield f"{path}{name}"
        for part in inside:
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from _marked(part, mark, f"{path}{name}.")


def _flattened(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from _flattened(part)
