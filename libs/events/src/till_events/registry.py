"""A vocabulary of events: which classes there are, by which names the world knows them, and how bytes become them."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from till_events.event import Event, Owner

E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Event)

MAX_BYTES = 1_000_000
"""Nothing a shop records comes near this size; what does is not one of our events."""

_TYPE = re.compile(r"tillstream\.(?P<owner>[a-z]+)\.(?P<name>[A-Za-z]+)\.v(?P<major>[0-9]+)")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BACKSLASH = ord("\\")
_encoder = msgspec.json.Encoder()


class Unrecordable(ValueError):
    """An event that nobody could read back: a time without an offset, a number out of range, a missing value. It is never recorded."""


class UnreadableEvent(ValueError):
    """The bytes are not the event their type says: broken JSON, a missing or wrong field, or far too large."""


class UnknownType(LookupError):
    """An event we have no use for. Readers skip it: services are added and learn new words at any time."""


class UnknownMajor(LookupError):
    """An event we know by name, in a version newer than this code. It must wait for code that understands it."""


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """How one event class is known outside Python."""

    cls: type[Event]
    owner: str
    name: str
    major: int
    public: bool

    @property
    def type(self) -> str:
        """The stable name in logs and on topics, e.g. `tillstream.order.OrderPlaced.v1`."""
        return f"tillstream.{self.owner}.{self.name}.v{self.major}"


class Registry:
    """The events declared so far. The business has one, `till_events.base.CATALOGUE`; a test may have its own."""

    def __init__(self) -> None:
        self._by_class: dict[type[Event], Declaration] = {}
        self._by_type: dict[str, Declaration] = {}
        self._types: dict[type[Event], str] = {}
        self._read: dict[str, Callable[[bytes], Any]] = {}
        self._upcasters: dict[type[Event], Callable[[Any], Event]] = {}
        self._newer: dict[type[Event], type[Event]] = {}

    def declare(self, cls: type[E], *, owner: Owner, major: int, public: bool) -> type[E]:
        """Give `cls` its name for ever. The class of a second major is called `…V2`, its event is not."""
        name = cls.__name__.removesuffix(f"V{major}") if major > 1 else cls.__name__
        declared = Declaration(cls=cls, owner=owner, name=name, major=major, public=public)
        if declared.type in self._by_type:
            raise TypeError(f"{declared.type} is declared twice")
        self._by_class[cls] = self._by_type[declared.type] = declared
        self._types[cls] = declared.type
        return cls

    def upcast(self, old: type[E], *, to: type[F]) -> Callable[[Callable[[E], F]], Callable[[E], F]]:
        """Declare how the event `old` reads in its next major version. Runs on reading; what is stored never changes."""

        def register(function: Callable[[E], F]) -> Callable[[E], F]:
            self._upcasters[old], self._newer[old] = function, to
            return function

        return register

    def declaration_of(self, event: Event | type[Event]) -> Declaration:
        """Return how the event is known; raise `KeyError` for a class that was never declared."""
        return self._by_class[event if isinstance(event, type) else type(event)]

    def declarations(self) -> list[Declaration]:
        """Return everything declared so far, by owner and name."""
        return sorted(self._by_class.values(), key=lambda declared: (declared.owner, declared.name, declared.major))

    def type_of(self, event: Event | type[Event]) -> str:
        """Return the stable type name, e.g. `tillstream.order.OrderPlaced.v1`."""
        return self._types[event if isinstance(event, type) else type(event)]

    def types_of(self, *classes: type[Event]) -> frozenset[str]:
        """Return every type name, older majors included, that reads as one of `classes`."""
        return frozenset(declared.type for declared in self._by_class.values() if self.newest(declared.cls) in classes)

    def newest(self, cls: type[Event]) -> type[Event]:
        """Return the class that events of `cls` are read as."""
        while cls in self._newer:
            cls = self._newer[cls]
        return cls

    def encode(self, event: Event) -> bytes:
        """Return the event as compact JSON, the form in which it is recorded and published.

        What is recorded is read for ever, so nothing is encoded that could not be read back: raises `Unrecordable`.
        """
        try:
            data = _encoder.encode(event)
            self.decode(self._types[type(event)], data)
        except (UnreadableEvent, UnicodeEncodeError, TypeError) as error:
            raise Unrecordable(f"{type(event).__name__} cannot be recorded: {error}") from error
        return data

    def decode(self, type_name: str, data: bytes) -> Event:
        """Read an event of the named type, raised to the newest major version this code knows.

        Unknown fields are ignored. Raises `UnknownType` (skip it), `UnknownMajor` or `UnreadableEvent` (both: dead letter).
        """
        read = self._read.get(type_name) or self._reader(type_name)
        if len(data) > MAX_BYTES:
            raise UnreadableEvent(f"{type_name} of {len(data)} bytes is larger than {MAX_BYTES}")
        if _BACKSLASH in data and _NUL.search(data):
            raise UnreadableEvent(f"{type_name} holds a NUL character, which no database keeps in a text")
        try:
            event: Event = read(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableEvent(f"{type_name}: {error}") from error
        if self._upcasters:
            while (upcaster := self._upcasters.get(type(event))) is not None:
                event = upcaster(event)
        return event

    def _reader(self, type_name: str) -> Callable[[bytes], Any]:
        if (declared := self._by_type.get(type_name)) is not None:
            read = self._read[type_name] = msgspec.json.Decoder(declared.cls).decode
            return read
        match = _TYPE.fullmatch(type_name)
        if match and any((known.owner, known.name) == match.group("owner", "name") for known in self._by_type.values()):
            raise UnknownMajor(f"{type_name}: this version is not known here")
        raise UnknownType(type_name)
