"""From raw records to facts: decoded one by one, never raising, repeats dropped, holes found.

Behind a hole nothing is taken before the record that fits. It may still come: a relay can send a record into a topic that was wiped a
moment ago, notices then, and refills the topic behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from till_events.base import Event
from till_events.codec import UnknownMajor, UnknownType, UnreadableEvent, decode, types_of
from till_platform.batch import Fact
from till_platform.kafka.signatures import Trust
from till_platform.worker.cursor import Cursor, Partition

FORGED = "forged"
"""The reason of a letter that the owner of the topic did not send: never taken, whatever an operator says, and no key waits for it."""


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
    """A record that matters: a fact to take, or a letter to bury. `cursor` is where its partition stands after it."""

    partition: Partition
    record: Record
    cursor: Cursor
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
            between[entry.partition] = entry.cursor
        return Reading(first, self.before, between), Reading(second, between, self.after)


class Reader:
    """Decodes what a consumer wants and skips the rest."""

    def __init__(self, wanted: Sequence[type[Event]], trust: Trust | None = None) -> None:
        """Without `trust` it is left to Kafka's access rules that only an owner writes to its topic."""
        self._trust = trust
        self._wanted = {name.encode(): name for name in types_of(*wanted)}
        self._families = {name.rsplit(b".v", 1)[0] for name in self._wanted}

    def read(self, polled: Mapping[Partition, Sequence[Record]], cursors: Mapping[Partition, Cursor]) -> Reading:
        """Read records in the order of their partitions. The cursor of a partition tells where events are missing."""
        reading = Reading([], {}, {})
        for partition, records in polled.items():
            cursor = cursors[partition]
            reading.before[partition] = cursor
            for record in records:
                cursor = self._take(record, partition, cursor, reading)
            reading.after[partition] = cursor
        return reading

    def _take(self, record: Record, partition: Partition, cursor: Cursor, reading: Reading) -> Cursor:
        headers = dict(record.headers)
        try:
            position, previous = int(headers["ce_logposition"]), int(headers["ce_prevposition"])
            kind, _ = headers["ce_type"], headers["ce_partitionkey"]  # a record without a key is none of ours either
        except (KeyError, ValueError, TypeError) as error:
            after = cursor.passed(record.offset)
            letter = Letter(partition, record, "unreadable-envelope", _fault(error))
            reading.entries.append(Entry(partition, record, after, letter=letter))
            return after
        if position <= cursor.last_position:
            reading.repeats += 1
            return cursor.passed(record.offset)
        if doubt := self._doubt(record, partition, kind):
            after = cursor.passed(record.offset)
            reading.entries.append(Entry(partition, record, after, letter=Letter(partition, record, FORGED, doubt)))
            return after
        if previous != cursor.last_position:
            return cursor._replace(hole=previous) if cursor.hole is None else cursor
        after = Cursor(record.offset + 1, position)
        if (name := self._wanted.get(kind)) is not None or kind.rsplit(b".v", 1)[0] in self._families:
            self._decode(record, partition, after, headers, name, reading)
        return after

    def _doubt(self, record: Record, partition: Partition, kind: bytes) -> str | None:
        """Why this cannot come from the owner of the topic, if it cannot."""
        owner, prefix = _owner_of(partition[0])
        if not kind.startswith(prefix):
            return f"{kind.decode(errors='replace')[:200]} is not an event of {owner}"
        if self._trust is not None and not self._trust.vouches_for(owner, partition, record):
            return f"no signature of {owner} that we trust"
        return None

    def _decode(
        self,
        record: Record,
        partition: Partition,
        after: Cursor,
        headers: dict[str, bytes],
        name: str | None,
        reading: Reading,
    ) -> None:
        entry = Entry(partition, record, after)
        try:
            event = decode(name or headers["ce_type"].decode(), record.value or b"")
            key = headers["ce_partitionkey"].decode()
            entry.fact = Fact(event, headers, key, *partition, record.offset)
        except UnknownType:
            return
        except UnknownMajor as error:
            entry.letter = Letter(partition, record, "unknown-major", str(error))
        except (UnreadableEvent, UnicodeDecodeError) as error:
            entry.letter = Letter(partition, record, "unreadable-event", str(error))
        reading.entries.append(entry)


@cache
def _owner_of(topic: str) -> tuple[str, bytes]:
    """Return whose topic this is, and how the types of its owner's events begin."""
    owner = topic.partition(".")[2]
    return owner, f"tillstream.{owner}.".encode()


def _fault(error: Exception) -> str:
    """Return what is wrong with the headers; what is in them may be anything, and is not repeated."""
    if isinstance(error, KeyError):
        return f"header {error.args[0]} is missing"
    return "header ce_logposition or ce_prevposition is not a number"
