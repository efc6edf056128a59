"""What a thing was at a time: its events up to then, put together by the very class that decides about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any

from till_events.codec import UnknownMajor, UnknownType, UnreadableEvent, decode
from till_platform.domain import Aggregate, RecordedEvent
from tillstream.events.masking import Mask
from tillstream.events.recorded import Recorded
from tillstream.events.state import state_of
from tillstream.exits import CommandFailed, Exit

GROUP = "tillstream.services"


def _clock(event: Recorded, by: str) -> datetime:
    return event.envelope.recorded_at if by == "recorded" else event.envelope.time


@dataclass(frozen=True)
class Past:
    """A thing at a time, by when things were `recorded` or `occurred`.

    `events` are those up to then, `state` is what they add up to, as far as it may be seen.
    """

    kind: str
    at: datetime
    by: str
    events: Sequence[Recorded]
    state: dict[str, Any]

    @property
    def version(self) -> int:
        """The place of its last event in its stream."""
        return self.events[-1].envelope.sequence if self.events else 0


def past(events: Sequence[Recorded], at: datetime, by: str, mask: Mask | None) -> Past:
    """Put a stream together as it was at a time; raise CommandFailed where nothing had happened yet, or where it cannot be done.

    By the time things happened the events that count may be some from the middle of the stream: what was told late had happened before.
    """
    known = [event for event in events if _clock(event, by) <= at]
    if not known:
        first = min(_clock(event, by) for event in events)
        raise CommandFailed(
            f"{events[0].envelope.subject} was not there at {at.isoformat()}",
            f"its first event was {by} at {first.isoformat()}",
            Exit.NOT_FOUND,
        )
    cls = _class_of(events[0])
    state = state_of(_folded(cls, known))
    return Past(cls.kind, at, by, known, mask.state(state) if mask else state)


def _class_of(event: Recorded) -> type[Aggregate]:
    stream = event.envelope.subject
    for entry in entry_points(group=GROUP, name=event.service):
        classes: Sequence[type[Aggregate]] = entry.load()().aggregates
        for cls in sorted(classes, key=lambda cls: -len(cls.kind)):
            if stream.startswith(cls.stream("")):
                return cls
    raise CommandFailed(f"{event.service} has nothing that {stream} could be", "", Exit.NOT_FOUND)


def _folded(cls: type[Aggregate], events: Sequence[Recorded]) -> Aggregate:
    try:
        facts = [
            RecordedEvent(
                one.envelope.subject, one.envelope.sequence, decode(one.envelope.type, one.data), one.envelope.key
            )
            for one in events
        ]
        found = cls.project(None, facts)
    except (UnreadableEvent, UnknownMajor, UnknownType) as error:
        raise CommandFailed(f"{events[0].envelope.subject}: {error}") from error
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        detail = f"what was known of {events[0].envelope.subject} cannot be put together without what is left out"
        raise CommandFailed(f"{detail} ({type(error).__name__})", "--by recorded always can") from error
    assert found is not None
    return found
