"""An aggregate as bytes and back: data only, of classes of ours, nothing that could run. What cannot be kept so is not kept at all."""

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

_AS_THEY_ARE = (type(None), bool, int, float, str)
_SIMPLE: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    datetime: ("time", datetime.isoformat, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    timedelta: ("span", lambda value: [value.days, value.seconds, value.microseconds], lambda parts: timedelta(*parts)),
    Decimal: ("number", str, Decimal),
    ZoneInfo: ("zone", str, ZoneInfo),
    bytes: ("bytes", bytes.hex, bytes.fromhex),
}
_THAW_SIMPLE = {tag: thaw for tag, _, thaw in _SIMPLE.values()}


class Unfreezable(TypeError):
    """There is something in it that is not data of ours."""


def freeze(value: Any, packages: frozenset[str]) -> bytes:
    """Return an object and all that it holds as JSON. What is held twice is one thing again when thawed. Raises `Unfreezable`."""
    return msgspec.json.encode(_Freezer(packages).freeze(value))


def thaw(data: bytes, packages: frozenset[str]) -> Any:
    """Return what was frozen. Raises `Unfreezable` for classes of other packages, and whatever else is wrong with the bytes."""
    return _Thawer(packages).thaw(msgspec.json.decode(data))


class _Freezer:
    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # ids are of living objects only

    def freeze(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        if kind in _SIMPLE:
            tag, write, _ = _SIMPLE[kind]
            return [tag, write(value)]
        if isinstance(value, Enum):
            return ["enum", self._name(kind), self.freeze(value.value)]
        if kind is tuple:
            return ["tuple", [self.freeze(item) for item in value]]
        if kind is frozenset:
            return ["frozenset", self._in_order(value)]
        if isinstance(value, tuple):
            return ["row", self._name(kind), [self.freeze(item) for item in value]]
        if isinstance(value, msgspec.Struct) and kind.__struct_config__.frozen:
            return [
                "fact",
                self._name(kind),
                {name: self.freeze(getattr(value, name)) for name in kind.__struct_fields__},
            ]
        return self._once(value, kind)

    def _once(self, value: Any, kind: type) -> Any:
        if (place := self._seen.get(id(value))) is not None:
            return ["same", place]
        self._seen[id(value)] = len(self._kept)
        self._kept.append(value)
        if kind is list:
            return ["list", [self.freeze(item) for item in value]]
        if kind is set:
            return ["set", self._in_order(value)]
        if kind is dict:
            return ["dict", [[self.freeze(name), self.freeze(inner)] for name, inner in value.items()]]
        return ["thing", self._name(kind), {name: self.freeze(inner) for name, inner in attributes(value)}]

    def _in_order(self, items: Collection[Any]) -> list[Any]:
        """Return the same bytes for the same set."""
        return sorted((self.freeze(item) for item in items), key=msgspec.json.encode)

    def _name(self, kind: type) -> str:
        name = f"{kind.__module__}:{kind.__qualname__}"
        if _class(name, self._packages) is not kind:
            raise Unfreezable(name)
        return name


class _Thawer:
    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages
        self._made: list[Any] = []

    def thaw(self, frozen: Any) -> Any:
        if not isinstance(frozen, list):
            return frozen
        tag, *rest = frozen
        if tag in _THAW_SIMPLE:
            return _THAW_SIMPLE[tag](rest[0])
        made: Any = getattr(self, f"_{tag}")(*rest)
        return made

    def _tuple(self, items: list[Any]) -> tuple[Any, ...]:
        return tuple(self.thaw(item) for item in items)

    def _frozenset(self, items: list[Any]) -> frozenset[Any]:
        return frozenset(self.thaw(item) for item in items)

    def _enum(self, name: str, value: Any) -> Any:
        return _class(name, self._packages)(self.thaw(value))

    def _row(self, name: str, items: list[Any]) -> Any:
        return _class(name, self._packages)(*(self.thaw(item) for item in items))

    def _fact(self, name: str, fields: dict[str, Any]) -> Any:
        return _class(name, self._packages)(**{field: self.thaw(inner) for field, inner in fields.items()})

    def _same(self, place: int) -> Any:
        return self._made[place]

    def _list(self, items: list[Any]) -> list[Any]:
        made: list[Any] = []
        self._made.append(made)
        made.extend(self.thaw(item) for item in items)
        return made

    def _set(self, items: list[Any]) -> set[Any]:
        made: set[Any] = set()
        self._made.append(made)
        made.update(self.thaw(item) for item in items)
        return made

    def _dict(self, pairs: list[list[Any]]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self._made.append(made)
        made.update((self.thaw(name), self.thaw(inner)) for name, inner in pairs)
        return made

    def _thing(self, name: str, inside: dict[str, Any]) -> Any:
        made = object.__new__(_class(name, self._packages))
        self._made.append(made)
        for attribute, inner in inside.items():
            object.__setattr__(made, attribute, self.thaw(inner))
        return made


def attributes(value: Any) -> list[tuple[str, Any]]:
    """Return what an object holds: its slots and its dictionary. Raises `Unfreezable` for what holds nothing, as a function does."""
    found: list[tuple[str, Any]] = []
    for cls in reversed(type(value).__mro__):
        slots = cls.__dict__.get("__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found += [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    if hasattr(value, "__dict__"):
        found += vars(value).items()
    elif not found:
        raise Unfreezable(type(value).__qualname__)
    return found


@cache
def _class(name: str, packages: frozenset[str]) -> type[Any]:
    module, _, path = name.partition(":")
    if module.partition(".")[0] not in packages:
        raise Unfreezable(name)
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise Unfreezable(name)
    return found
