"""Which events are meant: by type, by time, by what was typed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from till_events import catalogue
from till_events.base import declarations
from tillstream.exits import CommandFailed, Exit

_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EVENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where to look: one event by its id, a stream, or a stream as far as one version of it."""

    event_id: str | None = None
    stream: str = ""
    version: int | None = None

    @classmethod
    def of(cls, text: str) -> "Place":
        """Read what was typed: `0199…` (an event's id), `order-0199…`, `order-0199…@3`."""
        if _EVENT_ID.fullmatch(text):
            return cls(event_id=text.lower())
        stream, _, version = text.rpartition("@")
        if stream and version.isdecimal():
            return cls(stream=stream, version=int(version))
        return cls(stream=text)


def types_like(patterns: Sequence[str]) -> frozenset[str] | None:
    """Return the types meant by names as `OrderPlaced`, `order*`, or whole types; None for no pattern, which means all of them."""
    if not patterns:
        return None
    assert catalogue  # importing it declares every event
    known = {declared.type: declared.name for declared in declarations()}
    found: set[str] = set()
    for pattern in patterns:
        wanted = pattern.lower()
        meant = {
            kind
            for kind, name in known.items()
            if fnmatchcase(name.lower(), wanted) or fnmatchcase(kind.lower(), wanted)
        }
        if not meant:
            raise CommandFailed(f"there is no event {pattern}", f"there are: {', '.join(event_names())}", Exit.USAGE)
        found |= meant
    return frozenset(found)


def event_names() -> list[str]:
    """Return the names of all events there are."""
    assert catalogue
    return sorted({declared.name for declared in declarations()})


def moment(text: str, now: datetime) -> datetime:
    """Return the moment meant by `10m`, `2h`, `3d` (ago), by a date or by a time in ISO 8601; without an offset it is UTC."""
    if ago := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CommandFailed(
            f"{text} is not a time", "10m, 2h, 3d, 2026-11-22 or 2026-11-22T09:30:00Z", Exit.USAGE
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
