"""What a reaction is: an event in, a command out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from till_events.base import Event
from till_platform.batch import Fact
from till_platform.domain import Aggregate

A = TypeVar("A", bound=Aggregate)
Wanted = tuple[type[Aggregate], str]
"""An aggregate that a reaction needs: its class and its identity."""


class Unit(Protocol):
    """What a reaction may touch while it handles one event: aggregates, outgoing effects, and read models of its own service.

    Everything it does is committed together with the batch's checkpoint, or not at all.
    """

    @property
    def now(self) -> datetime:
        """The present, UTC."""
        ...

    def get(self, cls: type[A], identity: str) -> A:
        """Return the aggregate, empty (`exists` is false) if nothing was ever recorded of it. What it records is saved with the batch.

        One that neither `wants` nor `also_wants` named is read there and then, in a query of its own.
        """
        ...

    def effect(self, kind: str, key: str, payload: dict[str, Any], *, not_before: datetime | None = None) -> None:
        """Ask for something outside to be done once: a row that a sender of this `kind` claims.

        The same `key` again changes nothing while the row is there; it is removed some weeks after it was done. What must not happen twice
        for ever is decided by the sender from an aggregate, as everything else is.
        """
        ...

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read the service's own read models (tables named with their schema), this batch's changes included."""
        ...


class Reaction(ABC):
    """The answer of a service to something that happened.

    `name` never changes. `react` is called once per event, in order. Raising a `DomainError` sends the event to the dead letters and
    parks its key.
    """

    name: ClassVar[str]
    of: ClassVar[Sequence[type[Event]]]

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:  # noqa: ARG002 - most reactions override it
        """Name the aggregates that `react` will get, so that those of a whole batch are loaded in one query."""
        return ()

    def also_wants(self, fact: Fact[Any], unit: Unit) -> Iterable[Wanted]:  # noqa: ARG002 - few reactions override it
        """Name the aggregates that only those of `wants` can tell of, e.g. the messages that the rules in a book name.

        Asked before anything of the batch is reacted to, and loaded in one query more. It may look at `unit.get` and record nothing.
        """
        return ()

    @abstractmethod
    def react(self, fact: Fact[Any], unit: Unit) -> None:
        """Decide what follows from one event."""
