"""Tests of the rules as sentences: given what happened, when somebody does something, then this happens, or it is refused."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from till_events.base import Event
from till_platform.domain import Aggregate, DomainError
from till_platform.eventstore.freezing import freeze, thaw
from till_platform.eventstore.snapshots import packages_of

A = TypeVar("A", bound=Aggregate)


class Happened:
    """An event of a class with at least these fields; the others may be anything."""

    def __init__(self, cls: type[Event], fields: dict[str, Any]) -> None:
        self.cls = cls
        self.fields = fields

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.cls.__name__}({fields})"

    def matches(self, event: Event) -> bool:
        return type(event) is self.cls and all(getattr(event, name) == value for name, value in self.fields.items())


def happened(cls: type[Event], **fields: Any) -> Happened:
    """Expect an event of this class with these fields."""
    return Happened(cls, fields)


class Outcome(Generic[A]):
    """What a decision came to."""

    def __init__(self, aggregate: A, events: list[Event], refusal: DomainError | None) -> None:
        self.aggregate = aggregate
        self.events = events
        self.refusal = refusal

    def then(self, *expected: Happened) -> "Outcome[A]":
        """Check that exactly these events happened, in this order."""
        assert self.refusal is None, f"refused: {self.refusal.detail}" if self.refusal else ""
        assert len(self.events) == len(expected), f"expected {list(expected)}, happened {self.events}"
        for event, wanted in zip(self.events, expected, strict=True):
            assert wanted.matches(event), f"expected {wanted}, happened {event}"
        return self

    def then_nothing(self) -> "Outcome[A]":
        """Check that nothing happened and nothing was refused: a harmless repeat."""
        return self.then()

    def then_refused(self, error: type[DomainError], **facts: Any) -> "Outcome[A]":
        """Check that the decision was refused with this error, naming at least these facts, and that nothing happened."""
        assert self.refusal is not None, f"not refused, happened {self.events}"
        assert type(self.refusal) is error, f"refused by {self.refusal!r}"
        assert {name: self.refusal.facts.get(name) for name in facts} == facts, self.refusal.facts
        assert not self.events, self.events
        return self


class Given(Generic[A]):
    """A past."""

    def __init__(self, aggregate: A) -> None:
        self.aggregate = aggregate

    def when(self, decide: Callable[[A], object]) -> Outcome[A]:
        """Let somebody do something."""
        refusal: DomainError | None = None
        try:
            decide(self.aggregate)
        except DomainError as error:
            refusal = error
        return Outcome(self.aggregate, [recorded.event for recorded in self.aggregate.collect_events()], refusal)


def given(aggregate: A, *events: Event) -> Given[A]:
    """Start from an aggregate to which `events` have happened. Whatever that makes of it, a snapshot must be able to keep."""
    for event in events:
        aggregate.record(event)
    aggregate.collect_events()
    packages = packages_of(type(aggregate))
    frozen = freeze(aggregate, packages)
    assert freeze(thaw(frozen, packages), packages) == frozen
    return Given(aggregate)
