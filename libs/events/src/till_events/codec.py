"""Events to bytes and back. The bytes an event is recorded as are the bytes everybody reads for ever."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from till_events.base import Declaration, Event, declaration_of, declarations

MAX_BYTES = 1_000_000
"""Nothing a shop records comes near this size; what does is not one of our events."""

_TYPE = re.compile(r"tillstream\.(?P<owner>[a-z]+)\.(?P<name>[A-Za-z]+)\.v(?P<major>[0-9]+)")
_encoder = msgspec.json.Encoder()


class UnreadableEvent(ValueError):
    """The bytes are not the event their type says: broken JSON, a missing or wrong field, or far too large."""


class UnknownType(LookupError):
    """An event we have no use for. Readers skip it: services are added and learn new words at any time."""


class UnknownMajor(LookupError):
    """An event we know by name, in a version newer than this code. It must wait for code that understands it."""


_UPCASTERS: dict[type[Event], Callable[[Any], Event]] = {}


def upcast(old: type[Event]) -> Callable[[Callable[[Any], Event]], Callable[[Any], Event]]:
    """Declare how the event `old` reads in its next major version. Runs on reading; what is stored never changes."""

    def register(function: Callable[[Any], Event]) -> Callable[[Any], Event]:
        _UPCASTERS[old] = function
        return function

    return register


def encode(event: Event) -> bytes:
    """Return the event as compact JSON, the form in which it is recorded and published."""
    return _encoder.encode(event)


def decode(type_name: str, data: bytes) -> Event:
    """Read an event of the named type, raised to the newest major version this code knows.

    Unknown fields are ignored. Raises `UnknownType` (skip it), `UnknownMajor` or `UnreadableEvent` (both: dead letter).
    """
    declaration, decoder = _reader(type_name)
    if len(data) > MAX_BYTES:
        raise UnreadableEvent(f"{type_name} of {len(data)} bytes is larger than {MAX_BYTES}")
    try:
        event: Event = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(f"{declaration.type}: {error}") from error
    while (upcaster := _UPCASTERS.get(type(event))) is not None:
        event = upcaster(event)
    return event


def type_of(event: Event | type[Event]) -> str:
    """Return the stable type name, e.g. `tillstream.order.OrderPlaced.v1`."""
    return _type_of(event if isinstance(event, type) else type(event))


def types_of(*classes: type[Event]) -> frozenset[str]:
    """Return every type name, older majors included, that reads as one of `classes`."""
    wanted = set(classes)
    return frozenset(declared.type for declared in declarations() if _newest(declared.cls) in wanted)


@cache
def _type_of(cls: type[Event]) -> str:
    return declaration_of(cls).type


def _newest(cls: type[Event]) -> type[Event]:
    upcaster = _UPCASTERS.get(cls)
    return _newest(upcaster.__annotations__["return"]) if upcaster else cls


@cache
def _reader(type_name: str) -> tuple[Declaration, msgspec.json.Decoder[Any]]:
    by_type = {declared.type: declared for declared in declarations()}
    if (declared := by_type.get(type_name)) is not None:
        return declared, msgspec.json.Decoder(declared.cls)
    match = _TYPE.fullmatch(type_name)
    if match and any((declared.owner, declared.name) == match.group("owner", "name") for declared in by_type.values()):
        raise UnknownMajor(f"{type_name}: this version is not known here")
    raise UnknownType(type_name)
