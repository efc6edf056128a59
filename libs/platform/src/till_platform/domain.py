"""What every aggregate and every refusal has in common. Pure: the only part of the platform that a service's domain may use."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, Self

from till_events.base import Event

Kind = Literal["invalid", "not_found", "conflict", "forbidden"]


class DomainError(Exception):
    """A rule of the business says no.

    `code` is stable and part of the API (it ends the problem's `type`); `kind` says what sort of refusal it is; `facts` are handed to the
    caller beside the sentence, e.g. the moves that would be legal. Neither may hold personal data.
    """

    code: ClassVar[str] = "refused"
    kind: ClassVar[Kind] = "conflict"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class NotFound(DomainError):
    """There is no such thing."""

    code = "not-found"
    kind = "not_found"


class Invalid(DomainError):
    """What was asked for makes no sense, whatever the state of things. `field` names the culprit."""

    code = "invalid"
    kind = "invalid"

    def __init__(self, detail: str, *, field: str | None = None, **facts: Any) -> None:
        super().__init__(detail, **({"field": field} if field else {}), **facts)


class Conflict(DomainError):
    """The thing is not in a state in which this can be done."""

    code = "conflict"
    kind = "conflict"


class Forbidden(DomainError):
    """The caller may not do this, or not in this store."""

    code = "forbidden"
    kind = "forbidden"


class RecordedEvent:
    """One event in its place: the `originator_version`-th of the stream `originator_id`. The shape `eventsourcing` knows events by.

    `key` is the stream's Kafka key: the customer its first event names, else the stream itself. It never changes.
    """

    __slots__ = ("event", "key", "originator_id", "originator_version")

    def __init__(self, originator_id: str, originator_version: int, event: Event, key: str) -> None:
        self.originator_id = originator_id
        self.originator_version = originator_version
        self.event = event
        self.key = key


class Remembered:
    """An aggregate as it was after one of its events: what a snapshot gives in the place of the events up to there."""

    __slots__ = ("aggregate",)

    def __init__(self, aggregate: "Aggregate") -> None:
        self.aggregate = aggregate

    @property
    def originator_id(self) -> str:
        """The stream."""
        return self.aggregate.id

    @property
    def originator_version(self) -> int:
        """The place in the stream of the last event it has seen."""
        return self.aggregate.version


class Aggregate:
    """Something with rules: an order, an account, a customer. Its state is what its events add up to, and nothing else.

    Decisions (methods named by the business) check the rules and call `record`; `apply` only assigns. So a rule that is tightened later
    never makes an old aggregate unreadable. `version` counts all events, the pending ones included.
    """

    kind: ClassVar[str]

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        self.id = id
        self.version = 0
        self.key: str | None = None
        self._pending: list[RecordedEvent] = []

    @classmethod
    def stream(cls, identity: str) -> str:
        """Return the stream of the aggregate with this identity, e.g. `order-0199…`."""
        return f"{cls.kind}-{identity}"

    @property
    def identity(self) -> str:
        """The aggregate's own id: its stream without the kind."""
        return self.id[len(self.kind) + 1 :]

    @property
    def exists(self) -> bool:
        """Whether anything was ever recorded, or is about to be."""
        return self.version > 0

    @property
    def pending(self) -> Sequence[Event]:
        """The events decided on and not yet saved."""
        return [recorded.event for recorded in self._pending]

    def record(self, event: Event) -> None:
        """Take `event` as a fact."""
        if self.key is None:
            self.key = getattr(event, "customer_id", None) or self.id
        self.apply(event)
        self.version += 1
        self._pending.append(RecordedEvent(self.id, self.version, event, self.key))

    def apply(self, event: Event) -> None:
        """Change the state by one fact. Assignment only: no rule, no clock, no look-up."""
        raise NotImplementedError

    def collect_events(self) -> Sequence[RecordedEvent]:
        """Hand over what is pending, to be saved."""
        pending, self._pending = self._pending, []
        return pending

    def follow(self, recorded: RecordedEvent) -> None:
        """Take over an event that was recorded: the next one of this stream."""
        self.apply(recorded.event)
        self.key = recorded.key
        self.version = recorded.originator_version

    @classmethod
    def project(cls, aggregate: Self | None, recorded: Iterable[RecordedEvent | Remembered]) -> Self | None:
        """Fold recorded events into an aggregate; the projector that `eventsourcing`'s repository is given."""
        for fact in recorded:
            if isinstance(fact, Remembered):
                assert isinstance(fact.aggregate, cls)
                aggregate = fact.aggregate
                continue
            if aggregate is None:
                aggregate = cls(fact.originator_id)
            aggregate.follow(fact)
        return aggregate
