"""The defences, taken out one at a time: in the wiring of the simulated installation, never in production code.

Each must break an invariant within some seeds, or the simulator could not see what the defence is there for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from faultlab.no_repeats import NoRepeats
from faultlab.simulation.installation import Defences
from faultlab.simulation.kafka_clients import Consumer
from faultlab.simulation.oracle import position_of
from faultlab.simulation.run import Scenario, run
from faultlab.simulation.shop import PAID, Payments
from faultlab.simulation.world import World
from till_events.order import OrderPaymentRecorded
from till_platform.effects.sender import Effect, SenderLoop
from till_platform.eventstore import append, commit_lanes, commit_thread
from till_platform.projections.projection import Projection
from till_platform.relay.relay import Relay
from till_platform.worker import cursor, loop, transaction
from till_platform.worker.cursor import Cursor, Partition
from till_platform.worker.loop import WorkerLoop
from till_platform.worker.reading import Entry, Letter

Weakened = Callable[[World], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Control:
    """A defence taken out: what is there instead, which faults bring it to light, and which invariants it may break."""

    id: str
    defence: str
    instead: str
    breaks: frozenset[str]
    faults: frozenset[str]
    defences: Defences = field(default_factory=Defences)
    weakened: Weakened = lambda _: nullcontext()
    rush: bool = False

    @property
    def scenario(self) -> Scenario:
        """The run that misses the defence; one that needs a rush has more payments, on a slower network."""
        scenario = Scenario(self.id, self.defences, self.weakened, self.faults)
        return replace(scenario, commands=20, slow=0.05) if self.rush else scenario


class Unclaimed(SenderLoop):
    """Sends what is due without having claimed it."""

    def _claim(self) -> list[Effect]:
        with self._pool.connection() as connection:
            database = connection.database
            now = self._clock()
            due = [
                row for row in database.table("effect").values() if row["done_at"] is None and row["not_before"] <= now
            ]
        names = ("id", "kind", "key", "payload", "attempts", "correlation_id", "causation_id", "traceparent")
        return [Effect(*(row[name] for name in names)) for row in due[: self.sender.at_once]]


class ByTheClock(Payments):
    """A read model that looks at the clock."""

    def __init__(self, world: World) -> None:
        self._world = world

    def fold(self, batch: Any, db: Any) -> None:
        super().fold(batch, db)
        rows = db.get(PAID, {(str(fact.event.customer_id),) for fact in batch.of(OrderPaymentRecorded)})
        db.upsert(PAID, [(*row[:3], int(self._world.now)) for row in rows.values()])


def _by_the_clock(world: World) -> Sequence[Projection]:
    return (ByTheClock(world),)


def _advance_anyway(
    connection: Any, consumer: str, steps: Sequence[tuple[Partition, Cursor, Cursor]]
) -> Callable[[], None]:
    """Move the checkpoints wherever they stand."""
    database = connection.current
    for (topic, number), _, new in steps:
        key = (consumer, topic, number)
        database.lock("checkpoint", key)
        row = database.get("checkpoint", key)
        moved = {"next_offset": new.next_offset, "last_position": new.last_position}
        database.put("checkpoint", key, {**row, **moved})
    return lambda: None


@contextmanager
def _without_compare_and_set(_: World) -> Iterator[None]:
    with patch.object(transaction, "advance", _advance_anyway):
        yield


@contextmanager
def _serial_positions(_: World) -> Iterator[None]:
    """Positions from a sequence: taken before the commit, and nobody waits for whoever took a smaller one."""
    real = append.append

    def appended(connection: Any, commits: Sequence[append.Commit]) -> list[append.Outcome]:
        amount = sum(len(commit.events) for commit in commits)
        connection.reserved = connection.database.number("log_position", amount) - amount
        return real(connection, commits)

    async def refuse(*_: Any) -> None:
        """Leave everything to the above."""

    with (
        patch.object(append, "lock_head", lambda connection: connection.reserved),
        patch.object(commit_thread, "append", appended),
        patch.object(commit_lanes, "_append", refuse),
        patch.object(transaction, "append", appended),
        patch.object(transaction, "ask_to_append", lambda *_: None),
    ):
        yield


@contextmanager
def _committed_when_handed_out(_: World) -> Iterator[None]:
    """Kafka's client commits what it hands out; whoever takes over begins behind it."""
    handed: dict[tuple[str, Partition], Cursor] = {}
    real = Consumer.getmany

    async def getmany(self: Consumer, **how: Any) -> Any:
        polled = await real(self, **how)
        for place, records in polled.items():
            position = max((position_of(record) for record in records), default=0)
            before = handed.get((self.group, (place.topic, place.partition)), Cursor())
            handed[self.group, (place.topic, place.partition)] = Cursor(
                records[-1].offset + 1, max(position, before.last_position)
            )
        return polled

    def read(_: Any, consumer: str, partitions: Iterable[Partition]) -> dict[Partition, Cursor]:
        return {place: handed.get((consumer, place), Cursor()) for place in partitions}

    with (
        patch.object(Consumer, "getmany", getmany),
        patch.object(loop, "read_cursors", read),
        patch.object(transaction, "advance", _advance_anyway),
    ):
        yield


@contextmanager
def _from_the_latest(world: World) -> Iterator[None]:
    """Now and then the group is forgotten, and whoever reads next begins at the end."""
    real = cursor.read_cursors

    def read(connection: Any, consumer: str, partitions: Iterable[Partition]) -> dict[Partition, Cursor]:
        found = real(connection, consumer, partitions)
        for topic, number in sorted(found):
            records = connection.database.broker.topic(topic)[number].records
            if records and world.chance(0.3):
                found[topic, number] = Cursor(records[-1].offset + 1, max(map(position_of, records)))
        return found

    with patch.object(loop, "read_cursors", read), patch.object(transaction, "advance", _advance_anyway):
        yield


@contextmanager
def _only_the_first_is_read_again(_: World) -> Iterator[None]:
    """As FastStream 0.7.7 did with a batch of several partitions: what failed on the others is passed over by the next commit."""
    real = WorkerLoop._again

    async def again(self: WorkerLoop, consumer: Any, error: Exception) -> None:
        await real(self, consumer, error)
        for partition in sorted(consumer.assignment())[1:]:
            if (partition.topic, partition.partition) in self._cursors:
                self._lost.discard(partition)
                consumer.resume(partition)

    with patch.object(WorkerLoop, "_again", again), patch.object(transaction, "advance", _advance_anyway):
        yield


@contextmanager
def _no_look_at_the_topic(world: World) -> Iterator[None]:
    """The relay believes what it was told, and never looks whether the topic still has it."""

    async def look(self: Relay) -> set[int]:
        self._checked_at = world.now
        return set()

    async def refill(self: Relay, _: Any) -> None:
        """Nothing was lost, it thinks."""

    with (
        patch.object(Relay, "_shortened", look),
        patch.object(Relay, "_replaced", look),
        patch.object(Relay, "_refill", refill),
    ):
        yield


@contextmanager
def _no_look_back(_: World) -> Iterator[None]:
    """A relay that takes over goes by where the topic ends, and not by what stands there."""

    async def look(_: Relay) -> set[int]:
        return set()

    with patch.object(Relay, "_replaced", look):
        yield


def _without_parking(entries: Sequence[Entry], _: Any) -> tuple[list[Entry], list[Letter]]:
    return [e for e in entries if e.letter is None], [e.letter for e in entries if e.letter is not None]


@contextmanager
def _unparked(_: World) -> Iterator[None]:
    with patch.object(transaction, "sort_out", _without_parking):
        yield


def _control(
    number: int,
    defence: str,
    instead: str,
    breaks: str,
    faults: str,
    *,
    defences: Defences | None = None,
    weakened: Weakened = lambda _: nullcontext(),
    rush: bool = False,
) -> Control:
    kinds = frozenset(faults.split(", "))
    broken = frozenset(breaks.split())
    return Control(f"C{number}", defence, instead, broken, kinds, defences or Defences(), weakened, rush)


CONTROLS = (
    _control(
        1,
        "the checkpoint moves in the transaction of the batch",
        "Kafka's client commits what it hands out",
        "I4 I5",
        "kill, sessions, rebalance",
        weakened=_committed_when_handed_out,
    ),
    _control(
        2,
        "the checkpoint moves by compare-and-set",
        "it moves wherever it stands",
        "I4 I5",
        "freeze, rebalance",
        weakened=_without_compare_and_set,
    ),
    _control(
        3,
        "positions are given out under the lock of the log's head",
        "positions from a sequence",
        "I3",
        "rebalance",
        weakened=_serial_positions,
        rush=True,
    ),
    _control(
        4,
        "a batch that failed is read again on every partition, and the checkpoint would not move otherwise",
        "only its first partition is, as in FastStream 0.7.7, and the checkpoint moves wherever it stands",
        "I4 I5",
        "sessions, database away, freeze",
        weakened=_only_the_first_is_read_again,
    ),
    _control(
        5,
        "a repeat is known by its position",
        "whatever comes is taken",
        "I4 I5",
        "relay rewind, kill, kafka away",
        defences=Defences(reader=NoRepeats),
    ),
    _control(
        6,
        "acks=all and idempotence, and a look whether the topic has what was acknowledged",
        "acks=1, no idempotence, no look; the broker dies",
        "I3",
        "kafka away",
        defences=Defences(idempotent=False, acks="1"),
        weakened=_no_look_at_the_topic,
    ),
    _control(
        7,
        "positions come from PostgreSQL, a reset is refused",
        "the group is forgotten, reset to latest",
        "I4 I5",
        "kill, rebalance",
        weakened=_from_the_latest,
    ),
    _control(
        8,
        "an effect is claimed before it is done",
        "it is done, then recorded",
        "I6",
        "rebalance",
        defences=Defences(sender_loop=Unclaimed),
    ),
    _control(
        9,
        "the key of a dead letter waits behind it",
        "later events of the key are taken",
        "I4 I5",
        "mend",
        weakened=_unparked,
    ),
    _control(
        10,
        "a projection does not look at the clock",
        "it does",
        "I5",
        "rebalance",
        defences=Defences(projections=_by_the_clock),
    ),
    _control(
        11,
        "a relay that takes over sees whether the record it knows to be the last is where it was",
        "it goes by the topic's end; whoever led before filled a topic made anew up to there, and died",
        "I3",
        "partition and relay lost",
        weakened=_no_look_back,
    ),
)


def first_broken(control: Control, seeds: int) -> tuple[int, str, str] | None:
    """Return the first seed that breaks one of the named invariants, which one, and the counter-example."""
    for seed in range(seeds):
        violations = run(seed, control.scenario).violations
        for invariant in sorted(control.breaks & violations.keys()):
            return seed, invariant, violations[invariant]
    return None
