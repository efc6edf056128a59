"""The simulated installation: three services, two processes of each, put together from the real parts."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from faultlab.simulation.kafka import Broker
from faultlab.simulation.kafka_clients import Consumer, KafkaSide
from faultlab.simulation.postgres import Database, Pool, connect_in_loop
from faultlab.simulation.provider import Provider
from faultlab.simulation.shop import Code, Heard, Payments, PointsView, PointsWhenPaid, Thanks, ThanksSender
from faultlab.simulation.world import Process, World
from till_events.base import Event
from till_events.loyalty import PointsAdjusted
from till_events.order import OrderPaymentRecorded
from till_platform.effects.sender import SenderLoop
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.log import Log
from till_platform.projections.projection import Projection
from till_platform.reactions.reaction import Reaction
from till_platform.relay.relay import Relay
from till_platform.worker.loop import TopicShortened, WorkerLoop
from till_platform.worker.measures import Measures
from till_platform.worker.reading import Reader
from till_platform.worker.transaction import BatchTransaction, Taken

PARTITIONS = 2
RELAY_IDLE = 5.0
MAX_RECORDS = 25
SERVICES = ("order", "loyalty", "notification")
TOPICS = {"order": "till.order", "loyalty": "till.loyalty"}
READS = {"loyalty": ("till.order",), "notification": ("till.loyalty", "till.order")}


@dataclass
class Defences:
    """What the installation is wired from. A control puts something weaker in the place of one of these."""

    reader: type[Reader] = Reader
    sender_loop: type[SenderLoop] = SenderLoop
    idempotent: bool = True
    acks: str = "all"
    projections: Callable[[World], Sequence[Projection]] = lambda _: (Payments(),)


class Quiet(Measures):
    """Measures of a simulated worker; only what the checks want to know is kept."""

    def __init__(self, consumer: str, counts: dict[str, int]) -> None:
        super().__init__(consumer)
        self._counts = counts

    def observe(self, consumer: Any, cursors: Any) -> None:
        """Lag is for dashboards."""

    def taken(self, reading: Any, seconds: float) -> None:  # noqa: ARG002 - virtual seconds tell nothing
        self._counts["repeats suppressed"] = self._counts.get("repeats suppressed", 0) + reading.repeats

    def again(self) -> None:
        self._counts["batches again"] = self._counts.get("batches again", 0) + 1

    def fenced(self) -> None:
        self._counts["fenced"] = self._counts.get("fenced", 0) + 1


class Mortal(Relay):
    """A relay that may die of what it is told: that its topic lost records. It has sent some by then, and marked nothing."""

    dies: Callable[[], bool]

    async def _refill(self, lost: Collection[int]) -> None:
        if self.dies():
            await asyncio.get_running_loop().create_future()  # nobody is there any more to wait for it
        await super()._refill(lost)


@dataclass
class Running:
    """One process of a service and what in it others talk to."""

    service: str
    process: Process
    log: Log | None = None
    consumer: Consumer | None = None
    relay: Relay | None = None
    sending: SenderLoop | None = None
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))


class Installation:
    """Databases, Kafka, the provider, and the processes that run on them."""

    def __init__(self, world: World, defences: Defences) -> None:
        self.world = world
        self.defences = defences
        self.broker = Broker(world, PARTITIONS)
        self.databases = {service: Database(world, service) for service in SERVICES}
        for database in self.databases.values():
            database.table("log_head")[True] = {"position": 0}
            database.broker = self.broker
        self.provider = Provider(world)
        self.code = Code()
        self.counts: dict[str, int] = {}
        self.running: dict[str, Running] = {}
        self.doomed: dict[str, Callable[[str], None]] = {}
        """What befalls the next relay of a service that is told of lost records."""
        self._starts: dict[str, int] = {}

    def start(self, name: str) -> None:
        """Start a process, e.g. `loyalty-2`."""
        service = name.split("-", maxsplit=1)[0]
        self._starts[name] = self._starts.get(name, 0) + 1
        process = self.world.process(f"{name}.{self._starts[name]}")
        running = self.running[name] = Running(service, process)
        process.on_kill.append(lambda: self.databases[service].end_sessions(process, "the client is gone"))
        self.world.building = process
        if service in READS:
            self._add_worker(running)
        if service in TOPICS:
            self._add_relay(running)
        if service in {"order", "notification"}:
            self._add_log(running)
        self.world.building = None
        self.world.note(process.name, "starts")

    def process(self, name: str) -> Process:
        """Return the process that runs under this name now."""
        return self.running[name].process

    def kill(self, name: str) -> None:
        """`kill -9` a process."""
        running = self.running[name]
        running.process.kill()
        if running.consumer is not None:
            running.consumer.went_silent()

    def freeze(self, name: str) -> None:
        """`SIGSTOP` a process; database and Kafka notice in their own time."""
        running = self.running[name]
        running.process.freeze()
        for session in self.databases[running.service].sessions:
            if session.process is running.process:
                session.frozen()
        if running.consumer is not None:
            running.consumer.went_silent()

    def thaw(self, process: Process) -> None:
        """`SIGCONT` a process, if it is still there."""
        if process.dead or not process.frozen:
            return
        process.thaw()
        for running in self.running.values():
            if running.process is process and running.consumer is not None:
                running.consumer.woke()

    def make_transaction(self, service: str) -> BatchTransaction:
        """Return what takes batches for a service's consumer."""
        projections: Sequence[Projection] = (Heard(), PointsView())
        reactions: Sequence[Reaction] = (Thanks(),)
        if service == "loyalty":
            projections, reactions = self.defences.projections(self.world), (PointsWhenPaid(self.code),)
        return BatchTransaction(f"{service}.main", projections, reactions, self.world.clock)

    def _add_worker(self, running: Running) -> None:
        service, process = running.service, running.process
        wanted: list[type[Event]] = (
            [OrderPaymentRecorded] if service == "loyalty" else [OrderPaymentRecorded, PointsAdjusted]
        )
        consumer = running.consumer = Consumer(self.broker, process, f"{service}.main", READS[service])
        worker = WorkerLoop(
            f"{service}.main",
            self.defences.reader(wanted),
            self.make_transaction(service),
            lambda: self.databases[service].connect(process),  # type: ignore[arg-type,return-value]
            committed=lambda taken: self._committed(running, taken),
            measures=Quiet(f"{service}.main", self.counts),
            max_records=MAX_RECORDS,
        )
        worker.use(consumer)
        consumer.join(worker)
        self._run(running, worker.run())

    def _add_relay(self, running: Running) -> None:
        service, process = running.service, running.process
        defences = self.defences
        kafka = KafkaSide(self.broker, process, TOPICS[service], idempotent=defences.idempotent, acks=defences.acks)
        connect: Any = lambda: self.databases[service].connect(process)  # noqa: E731 - a model in the place of a connection
        relay = Mortal(service, connect, kafka, idle_seconds=RELAY_IDLE)  # type: ignore[arg-type]
        relay.dies = lambda: self._dies(running)
        running.relay = relay
        self._run(running, relay.run())

    def _add_log(self, running: Running) -> None:
        database, process = self.databases[running.service], running.process
        connect: Any = lambda: database.connect(process)  # noqa: E731
        in_loop: Any = lambda: connect_in_loop(database, process)  # noqa: E731
        committer = GroupCommit(connect, in_loop)
        pool: Any = Pool(database, process)
        running.log = Log(running.service, pool, committer, running.threads, in_loop)
        if running.service == "order":
            assert running.relay is not None
            committer.on_commit(lambda: _wake(process, running.relay))
        else:
            sender = ThanksSender(running.log, self.provider, self.world.clock)
            sending = self.defences.sender_loop(sender, pool, running.threads, self.world.clock)
            running.sending = sending
            self._run(running, sending.run())

    async def _committed(self, running: Running, taken: Taken) -> None:
        """What the worker does after each batch: wake the relay or the sender."""
        if taken.events and running.relay is not None:
            running.relay.wake()
        if taken.effects and running.sending is not None:
            running.sending.wake()

    def _run(self, running: Running, work: Any) -> None:
        task = running.process.create_task(work)
        task.add_done_callback(lambda done: self._ended(running, done))

    def _dies(self, running: Running) -> bool:
        befall = self.doomed.pop(running.service, None)
        if befall is not None:
            befall(next(name for name, other in self.running.items() if other is running))
        return befall is not None

    def _ended(self, running: Running, task: Any) -> None:
        """A part stopped: whoever supervises the process starts it anew."""
        error = task.exception()
        self.world.note(running.process.name, f"stops: {error!r}")
        if not isinstance(error, TopicShortened):
            self.world.bugs.append(f"{running.process.name} stopped: {error!r}")
        name = next(name for name, other in self.running.items() if other is running)
        self.world.after(0.0, self.kill, name)
        self.world.after(self.world.between(0.5, 2.0), self.start, name)


def _wake(process: Process, relay: Relay | None) -> None:
    if relay is not None:
        process.call_soon(relay.wake)
