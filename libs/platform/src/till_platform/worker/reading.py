"""From raw records to facts: decoded one by one, never raising, repeats dropped, holes found.

Behind a hole nothing is taken before the record that fits. It may still come: a relay can send a record into a topic that was wiped a
moment ago, notices then, and refills the topic behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, Protocol

from till_events.base import Event
from till_events.codec import UnknownMajor, UnknownType, UnreadableEvent, decode, types_of
from till_events.envelope import Headers
from till_platform.batch import Fact
from till_platform.kafka.signatures import Trust
from till_platform.worker.cursor import Cursor, Partition

FORGED = "forged"
"""The reason of a letter that the owner of the topic did not send: never taken, whatever an operator says, and no key waits for it."""


POSITION, PREVIOUS, TYPE, KEY = NEEDED = "ce_logposition", "ce_prevposition", "ce_type", "ce_partitionkey"
"""Without a key a record is none of ours either."""


class _Picked(dict[int, Callable[[Headers], Any]]):
    """How to pick the headers we need from so many. An owner writes them in one order: looking there is cheaper than looking for them."""

    def __missing__(self, _: int) -> Callable[[Headers], Any]:
        return lambda _: (("", b""),) * len(NEEDED)


class Record(Protocol):
    """What is read of a Kafka record."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Hole(Exception):
    """Events that were published to this partition are not where they should be: the topic was shortened, or refilled in another way."""

    def __init__(self, partition: Partition, cursor: Cursor) -> None:
        what = f"after log position {cursor.last_position} comes one that follows {cursor.hole}"
        super().__init__(f"{partition[0]}/{partition[1]}: {what}")
        self.partition = partition


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A record that cannot be taken, with its original bytes and why."""

    partition: Partition
    record: Record
    reason: str
    detail: str


@dataclass(slots=True, eq=False)
class Entry:
    """A record that matters: a fact to take, or a letter to bury.

    `cursor` is where its partition stands after it, as the plain values: making a `Cursor` for each record took a fifteenth of all reading.
    """

    partition: Partition
    record: Record
    cursor: tuple[int, int, int | None]
    fact: Fact[Any] | None = None
    letter: Letter | None = None


@dataclass(slots=True, eq=False)
class Reading:
    """What one poll brought, in order, and from where to where it moves each partition."""

    entries: list[Entry]
    before: dict[Partition, Cursor]
    after: dict[Partition, Cursor]
    repeats: int = 0

    def halves(self) -> tuple["Reading", "Reading"]:
        """Cut the reading in two that can be taken one after the other."""
        middle = len(self.entries) // 2
        first, second = self.entries[:middle], self.entries[middle:]
        between = dict(self.before)
        for entry in first:
            between[entry.partition] = Cursor(*entry.cursor)
        return Reading(first, self.before, between), Reading(second, between, self.after)


class Reader:
    """Decodes what a consumer wants and skips the rest."""

    def __init__(self, wanted: Sequence[type[Event]], trust: Trust | None = None) -> None:
        """Without `trust` it is left to Kafka's access rules that only an owner writes to its topic."""
        self._trust = trust
        self._wanted = {name.encode(): name for name in types_of(*wanted)}
        self._by_topic: dict[str, dict[bytes, str]] = {}
        self.picked = _Picked()
        self._families = {name.rsplit(b".v", 1)[0] for name in self._wanted}

    def read(self, polled: Mapping[Partition, Sequence[Record]], cursors: Mapping[Partition, Cursor]) -> Reading:
        """Read records in the order of their partitions. The cursor of a partition tells where events are missing."""
        reading = Reading([], {}, {})
        for partition, records in polled.items():
            self.read_on(partition, records, cursors[partition], reading)
        return reading

    def read_on(self, partition: Partition, records: Sequence[Record], begin: Cursor, reading: Reading) -> None:
        """Read some more records of one partition into a reading that began there."""
        reading.before.setdefault(partition, begin)
        next_offset, last_position, hole = reading.after.get(partition, begin)
        entries, wanted, trust = reading.entries, self.wanted_of(partition[0]), self._trust
        for record in records:  # all there is to read passes here: a function called less is worth a longer one
            headers = record.headers
            try:
                (one, at), (two, after), (three, kind), (four, key) = self.picked[len(headers)](headers)
                if one != POSITION or two != PREVIOUS or three != TYPE or four != KEY:
                    (_, at), (_, after), (_, kind), (_, key) = self.pick(headers)
                position, previous, _ = int(at), int(after), kind + key  # any of them may be null
            except (KeyError, ValueError, TypeError) as error:
                next_offset = record.offset + 1 if hole is None else next_offset
                letter = Letter(partition, record, "unreadable-envelope", _fault(error))
                entries.append(Entry(partition, record, (next_offset, last_position, hole), letter=letter))
                continue
            if position <= last_position:
                reading.repeats += 1
                next_offset = record.offset + 1 if hole is None else next_offset
                continue
            name = wanted.get(kind)
            if (name is None or trust is not None) and (doubt := self._doubt(record, partition, kind)):
                next_offset = record.offset + 1 if hole is None else next_offset
                letter = Letter(partition, record, FORGED, doubt)
                entries.append(Entry(partition, record, (next_offset, last_position, hole), letter=letter))
            elif previous != last_position:
                hole = previous if hole is None else hole
            else:
                next_offset, last_position, hole = record.offset + 1, position, None
                if name is not None or kind.rsplit(b".v", 1)[0] in self._families:
                    decoded(Entry(partition, record, (next_offset, position, None)), kind, name, key, entries)
        reading.after[partition] = Cursor(next_offset, last_position, hole)

    def pick(self, headers: Headers) -> Any:
        """Find the four headers that every record of ours has, and remember where to look in the next one with as many headers."""
        places = {name: place for place, (name, _) in enumerate(headers)}
        picked = self.picked[len(headers)] = itemgetter(*(places[name] for name in NEEDED))
        return picked(headers)

    def wanted_of(self, topic: str) -> dict[bytes, str]:
        """Return the types that are wanted of the topic's owner: one of them in the topic of another service is a forgery."""
        found = self._by_topic.get(topic)
        if found is None:
            _, prefix = _owner_of(topic)
            found = {kind: name for kind, name in self._wanted.items() if kind.startswith(prefix)}
            self._by_topic[topic] = found
        return found

    def _doubt(self, record: Record, partition: Partition, kind: bytes) -> str | None:
        """Why this cannot come from the owner of the topic, if it cannot."""
        owner, prefix = _owner_of(partition[0])
        if not kind.startswith(prefix):
            return f"{kind.decode(errors='replace')[:200]} is not an event of {owner}"
        if self._trust is not None and not self._trust.vouches_for(owner, partition, record):
            return f"no signature of {owner} that we trust"
        return None


def decoded(entry: Entry, kind: bytes, name: str | None, key: bytes, entries: list[Entry]) -> None:
    """Make a record that matters a fact, or a letter; an event that nobody here wants is neither."""
    record, partition = entry.record, entry.partition
    topic, number = partition
    try:
        event = decode(name or kind.decode(), record.value or b"")
        entry.fact = Fact(event, record.headers, key.decode(), topic, number, record.offset)
    except UnknownType:
        return
    except UnknownMajor as error:
        entry.letter = Letter(partition, record, "unknown-major", str(error))
    except (UnreadableEvent, UnicodeDecodeError) as error:
        entry.letter = Letter(partition, record, "unreadable-event", str(error))
    entries.append(entry)


@cache
def _owner_of(topic: str) -> tuple[str, bytes]:
    """Return whose topic this is, and how the types of its owner's events begin."""
    owner = topic.partition(".")[2]
    return owner, f"tillstream.{owner}.".encode()


def _fault(error: Exception) -> str:
    """Return what is wrong with the headers; what is in them may be anything, and is not repeated."""
    if isinstance(error, KeyError):
        return f"header {error.args[0]} is missing"
    return "header ce_logposition or ce_prevposition is not a number, or one that we need is null"
