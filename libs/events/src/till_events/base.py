"""What every event is: a frozen fact with the time it happened, declared once and known by a name of our own."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

Owner = Literal["order", "customer", "loyalty", "notification", "analytics"]
"""The service whose log an event belongs to. Only the owner records it; everyone may read it."""

E = TypeVar("E", bound="Event")

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

    occurred_at: datetime


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


_DECLARED: dict[type[Event], Declaration] = {}


def published(*, by: Owner, version: int = 1) -> Callable[[type[E]], type[E]]:
    """Declare an event that the service `by` records and that others may subscribe to."""
    return _declare(by, version, public=True)


def private(*, by: Owner, version: int = 1) -> Callable[[type[E]], type[E]]:
    """Declare an event that stays in the log of `by`: bookkeeping that others must not build on. It is never relayed."""
    return _declare(by, version, public=False)


def _declare(owner: Owner, major: int, *, public: bool) -> Callable[[type[E]], type[E]]:
    def declare(cls: type[E]) -> type[E]:
        name = cls.__name__.removesuffix(f"V{major}") if major > 1 else cls.__name__
        declaration = Declaration(cls=cls, owner=owner, name=name, major=major, public=public)
        if any(other.type == declaration.type for other in _DECLARED.values()):
            raise TypeError(f"{declaration.type} is declared twice")
        _DECLARED[cls] = declaration
        return cls

    return declare


def declaration_of(event: Event | type[Event]) -> Declaration:
    """Return how the event is known; raise `KeyError` for a class that was never declared."""
    return _DECLARED[event if isinstance(event, type) else type(event)]


def declarations() -> list[Declaration]:
    """Return everything declared so far, by owner and name."""
    return sorted(_DECLARED.values(), key=lambda declared: (declared.owner, declared.name, declared.major))


def fields_marked(cls: type[msgspec.Struct], mark: msgspec.Meta) -> list[str]:
    """Name the fields of `cls` whose annotation carries `mark`, e.g. the personal ones."""
    hints: dict[str, Any] = cls.__annotations__
    return [name for name, hint in hints.items() if mark in getattr(hint, "__metadata__", ())]
