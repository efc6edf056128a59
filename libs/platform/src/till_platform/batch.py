"""What a consumer hands to projections and reactions: the events of one poll, decoded, in the order of their partitions."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from till_events.base import Event
from till_events.envelope import Headers

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class Fact(Generic[E_co]):
    """An event as it was read from a topic, with what its headers say."""

    __slots__ = ("_headers", "event", "key", "offset", "partition", "topic")

    def __init__(
        self, event: E_co, headers: dict[str, bytes] | Headers, key: str, topic: str, partition: int, offset: int
    ) -> None:
        self.event = event
        self._headers = headers
        self.key = key
        self.topic = topic
        self.partition = partition
        self.offset = offset

    @property
    def headers(self) -> dict[str, bytes]:
        """What the record says of the event; put in order when it is first asked for, since most facts are never asked."""
        if not isinstance(self._headers, dict):
            self._headers = dict(self._headers)
        return self._headers

    def _find(self, name: str) -> bytes | None:
        """Return one header, if it is there. One is asked of whole batches: nothing is put in order for it."""
        if isinstance(self._headers, dict):
            return self._headers.get(name)
        for found, value in self._headers:
            if found == name:
                return value
        return None

    def _text(self, name: str) -> str:
        value = self._find(name)
        if value is None:
            raise KeyError(name)
        return value.decode()

    @property
    def id(self) -> str:
        """The event's id, a UUIDv7."""
        return self._text("ce_id")

    @property
    def type(self) -> str:
        """The event's type, e.g. `tillstream.order.OrderPlaced.v1`."""
        return self._text("ce_type")

    @property
    def stream(self) -> str:
        """The stream the event belongs to, e.g. `order-0199…`."""
        return self._text("ce_subject")

    @property
    def sequence(self) -> int:
        """The event's place in its stream: 1, 2, 3, …"""
        return int(self._text("ce_sequence"))

    @property
    def position(self) -> int:
        """The event's place in its owner's log."""
        return int(self._text("ce_logposition"))

    @property
    def recorded_at(self) -> datetime:
        """When the event entered its owner's log, UTC."""
        return datetime.fromisoformat(self._text("ce_recordedat"))

    @property
    def correlation_id(self) -> str:
        """What ties together everything that one command from outside led to."""
        return self._text("ce_correlationid")

    @property
    def actor(self) -> str | None:
        """Who did it: a role and a staff or system id, e.g. `cashier:17`."""
        value = self._find("ce_actor")
        return value.decode() if value is not None else None

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context the event was recorded under."""
        value = self._find("traceparent")
        return value.decode() if value is not None else None


class Batch:
    """Some facts in order: within a partition as published, hence all of one key in the order they happened."""

    __slots__ = ("facts",)

    def __init__(self, facts: Sequence[Fact[Any]]) -> None:
        self.facts = facts

    def __len__(self) -> int:
        return len(self.facts)

    def __iter__(self) -> Iterator[Fact[Any]]:
        return iter(self.facts)

    def of(self, kind: type[E]) -> Iterator[Fact[E]]:
        """Iterate over the facts of one class of event."""
        return (fact for fact in self.facts if type(fact.event) is kind)

    def only(self, kinds: Sequence[type[Event]]) -> "Batch":
        """Return the facts of these classes, order kept."""
        wanted = frozenset(kinds)
        return Batch([fact for fact in self.facts if type(fact.event) in wanted])
