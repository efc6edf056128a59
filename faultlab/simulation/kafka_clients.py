"""What our code takes for aiokafka's consumer and producer, on the model of Kafka."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, OffsetOutOfRangeError

from faultlab.simulation.kafka import SESSION_TIMEOUT, Broker, Headers, Partition, Record, done
from faultlab.simulation.world import Process

Written = tuple[Partition, int]
"""Where a batch was written: the partition as it was then, and the first offset."""
LONGEST_POLL = 4.0
"""Polls of nothing wait longer than in production, so that a quiet installation takes few steps."""


class Consumer:
    """A member of a group that fetches ahead, and cuts what it fetched anywhere."""

    def __init__(self, broker: Broker, process: Process, group: str, topics: Sequence[str]) -> None:
        self.name = process.name
        self.group = group
        self.topics = sorted(topics)
        self.evicted = False
        self._broker = broker
        self._process = process
        self._world = process.world
        self._group = broker.group(group)
        self._listener: ConsumerRebalanceListener | None = None
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._positions: dict[TopicPartition, int] = {}
        self._fetched: dict[TopicPartition, list[Record]] = {}
        self._marks: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._rejoining = False
        self._reassigning = True

    def join(self, listener: ConsumerRebalanceListener) -> None:
        """Ask for partitions; the listener hears of them."""
        self._listener = listener
        self._group.join(self)

    # What the coordinator says.

    def asked_to_rejoin(self, soon: float) -> None:
        """The next heartbeat is told that the group rebalances."""
        if not self._rejoining:
            self._rejoining = True
            self._process.call_later(soon, lambda: self._process.start(self._rejoin()))

    def silent(self) -> None:
        """No heartbeat came for as long as the session lasts."""
        if self._process.frozen or self._process.dead:
            self._group.leave(self)

    def went_silent(self) -> None:
        """The process was stopped or killed."""
        self._world.after(SESSION_TIMEOUT, self.silent)

    def woke(self) -> None:
        """The process was thawed: at its next heartbeat it hears that it was given up."""
        if self.evicted or not self._group.has(self):
            self._rejoining = False
            self.asked_to_rejoin(self._world.between(0.0, 1.0))

    def given(self, mine: Sequence[TopicPartition], generation: int) -> None:
        """The coordinator answers with an assignment."""
        latency = self._world.between(0.0, 0.05)
        self._process.call_later(latency, lambda: self._process.start(self._take_over(mine, generation)))

    async def _rejoin(self) -> None:
        assert self._listener is not None
        self._reassigning = True
        await self._listener.on_partitions_revoked(self._assigned)
        self._fetched.clear()
        self._rejoining = False
        self.evicted = False
        self._group.join(self)

    async def _take_over(self, mine: Sequence[TopicPartition], generation: int) -> None:
        if generation != self._group.generation:
            return
        assert self._listener is not None
        self._assigned = frozenset(mine)
        self._positions.clear()
        self._fetched.clear()
        self._marks.clear()
        self._paused.clear()
        self._world.note(self.name, f"is given {self._told()} of {self._group.name}")
        await self._listener.on_partitions_assigned(sorted(mine))
        self._reassigning = False
        self._broker.wake()

    def _told(self) -> str:
        return " ".join(f"{place.topic}/{place.partition}" for place in sorted(self._assigned)) or "nothing"

    # What our loop calls.

    def assignment(self) -> frozenset[TopicPartition]:
        return self._assigned

    def subscription(self) -> frozenset[str]:
        return frozenset(self.topics)

    def partitions_for_topic(self, topic: str) -> set[int]:  # noqa: ARG002 - all topics are cut alike
        return set(range(self._broker.count))

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._positions[place] = offset
        self._fetched.pop(place, None)

    def pause(self, place: TopicPartition) -> None:
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        self._paused.discard(place)

    def highwater(self, place: TopicPartition) -> int | None:
        return self._marks.get(place)

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where partitions begin."""
        await self._answer()
        return {place: self._broker.topic(place.topic)[place.partition].start for place in places}

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where partitions end."""
        await self._answer()
        return {place: self._broker.topic(place.topic)[place.partition].end for place in places}

    async def _answer(self) -> None:
        await asyncio.sleep(self._world.between(0.0, 0.02))
        if self._broker.away:
            raise KafkaConnectionError("broker away")

    async def position(self, place: TopicPartition) -> int:
        return self._positions[place]

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """Return some of what is there, of some partitions; wait for it a while."""
        while self._reassigning:
            await self._wait(LONGEST_POLL)
        deadline = self._world.now + max(timeout_ms / 1000, LONGEST_POLL)
        while True:
            if found := self._take(max_records):
                return found
            if self._world.now >= deadline:
                return {}
            await self._wait(deadline - self._world.now)

    async def _wait(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = self._process.create_future()
        self._broker.waiting.append(waiting)
        handle = self._process.call_later(seconds, done, waiting)
        await waiting
        handle.cancel()

    def _take(self, most: int) -> dict[TopicPartition, list[Record]]:
        active = [place for place in sorted(self._assigned) if place not in self._paused and place in self._positions]
        self._fetch(active)
        found: dict[TopicPartition, list[Record]] = {}
        for place in active:
            if most and (fetched := self._fetched.get(place)):
                cut = min(most, 1 + int(self._world.random.random() * len(fetched)))
                found[place], self._fetched[place] = fetched[:cut], fetched[cut:]
                self._positions[place] = found[place][-1].offset + 1
                most -= cut
        return found

    def _fetch(self, active: Collection[TopicPartition]) -> None:
        if self._broker.away:
            return
        outside = {}
        for place in active:
            if self._fetched.get(place):
                continue
            partition = self._broker.topic(place.topic)[place.partition]
            position = self._positions[place]
            if not partition.start <= position <= partition.end:
                outside[place] = position
                continue
            self._fetched[place] = partition.read(position, 1 + int(self._world.random.random() * 40))
            self._marks[place] = partition.end
        if outside:
            raise OffsetOutOfRangeError(outside)


class Batch:
    """Records on their way together; here is always room for one more."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes, Headers]] = []

    def append(self, *, timestamp: int | None, key: bytes, value: bytes, headers: Headers) -> bool:  # noqa: ARG002
        self.records.append((key, value, headers))
        return True

    def close(self) -> None:
        """Nobody else adds to it."""

    def record_count(self) -> int:
        return len(self.records)


class Producer:
    """A producer that sends a partition's records in order, and sends again what was not answered."""

    def __init__(self, broker: Broker, process: Process, *, idempotent: bool, acks: str) -> None:
        self._broker = broker
        self._process = process
        self._world = process.world
        self._idempotent = idempotent
        self._acks = acks
        self._queues: dict[TopicPartition, list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._busy: set[TopicPartition] = set()
        self._stopped = False

    async def partitions_for(self, topic: str) -> set[int]:  # noqa: ARG002 - all topics are cut alike
        return set(range(self._broker.count))

    def create_batch(self) -> "Batch":
        return Batch()

    async def send_batch(self, batch: "Batch", topic: str, *, partition: int) -> "asyncio.Future[Any]":
        place = TopicPartition(topic, partition)
        future = self._process.create_future()
        self._queues.setdefault(place, []).append((batch.records, future))
        if place not in self._busy:
            self._busy.add(place)
            self._process.call_later(self._world.between(0.0, 0.01), self._flush, place)
        return future

    async def stop(self) -> None:
        self._stopped = True

    def _flush(self, place: TopicPartition) -> None:
        batch = self._queues.pop(place, [])
        if not batch or self._stopped:
            self._busy.discard(place)
            return
        self._world.after(self._world.between(0.0, 0.02), self._arrive, place, batch, None, 0)

    def _arrive(self, place: TopicPartition, batch: Any, written: Written | None, tries: int) -> None:
        """A request reaches the broker, whatever became of its sender. A repeat is known by what the partition still holds."""
        if self._broker.away:
            self._lost(place, batch, written, tries, reached=False)
            return
        held = self._broker.topic(place.topic)[place.partition]
        if written is None or not self._idempotent or written[0] is not held:
            records = [record for records, _ in batch for record in records]
            written = held, self._broker.write(place, records)
            if self._acks == "1":
                self._broker.unreplicated.append((self._world.now, place, len(records)))
        if self._world.chance(0.03):
            self._world.note(self._process.name, f"loses an answer of {place.topic}/{place.partition}")
            self._lost(place, batch, written, tries, reached=True)
            return
        self._process.call_later(self._world.between(0.0, 0.02), self._acknowledged, place, batch, written[1])

    def _lost(self, place: TopicPartition, batch: Any, written: Written | None, tries: int, *, reached: bool) -> None:
        if tries < 3 and not self._stopped and not self._process.dead:
            self._world.after(self._world.between(0.05, 0.3), self._arrive, place, batch, written, tries + 1)
        else:
            error = KafkaTimeoutError("no answer") if reached else KafkaConnectionError("broker away")
            self._process.call_soon(self._failed, place, batch, error)

    def _acknowledged(self, place: TopicPartition, batch: Any, first: int) -> None:
        for records, future in batch:
            if not future.done():
                future.set_result(SimpleNamespace(partition=place.partition, offset=first))
            first += len(records)
        self._flush(place)

    def _failed(self, place: TopicPartition, batch: Any, error: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
        self._flush(place)


def _position_of(record: Record) -> int | None:
    found = dict(record.headers).get("ce_logposition")
    return int(found) if found else None


class KafkaSide:
    """What our relay takes for its hold on Kafka."""

    def __init__(
        self, broker: Broker, process: Process, topic: str, *, idempotent: bool = True, acks: str = "all"
    ) -> None:
        self.topic = topic
        self._broker = broker
        self._process = process
        self._how = {"idempotent": idempotent, "acks": acks}
        self._producer: Producer | None = None

    async def open(self) -> Producer:
        await self._answer()
        self._producer = Producer(self._broker, self._process, **self._how)  # type: ignore[arg-type]
        return self._producer

    async def end_offsets(self) -> dict[int, int]:
        await self._answer()
        return {number: partition.end for number, partition in enumerate(self._broker.topic(self.topic))}

    async def positions_before(self, ends: Mapping[int, int]) -> dict[int, int | None]:
        await self._answer()
        held = self._broker.topic(self.topic)
        there = {number: end - 1 for number, end in ends.items() if end > held[number].start}
        if outside := {number: offset for number, offset in there.items() if offset >= held[number].end}:
            raise OffsetOutOfRangeError(outside)
        return {number: _position_of(held[number].read(offset, 1)[0]) for number, offset in there.items()}

    async def empty(self) -> None:
        await self._answer()
        for partition in self._broker.topic(self.topic):
            partition.delete_before(partition.end)

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def _answer(self) -> None:
        await asyncio.sleep(self._process.world.between(0.0, 0.02))
        if self._broker.away:
            raise KafkaConnectionError("broker away")
