"""What goes wrong: a seed chooses some kinds of faults, then when and whom they hit."""

from collections.abc import Callable
from typing import ClassVar

from faultlab.simulation.installation import READS, TOPICS, Installation
from faultlab.simulation.kafka import Partition
from faultlab.simulation.world import SLOW, World

RUBBISH = b"\xff"
UNTIL = 6.0
"""Faults happen in the first so many virtual seconds; then everything is healed."""


class Nemesis:
    """The faults of one run."""

    def __init__(self, world: World, installation: Installation, *, only: frozenset[str] | None = None) -> None:
        self.world = world
        self.installation = installation
        self.happened: dict[str, int] = {}
        self.wiped: dict[str, int] = {}
        self.rewound: set[tuple[str, str, int]] = set()
        self.rubbish: list[tuple[str, int, Partition]] = []
        names = sorted(self.KINDS if only is None else only)
        chosen = [name for name in names if only is not None or world.chance(0.45)]
        for _ in range(1 + int(world.random.random() * 5) if chosen else 0):
            self.world.at(world.between(0.5, UNTIL), self._strike, chosen[int(world.random.random() * len(chosen))])

    def heal(self) -> None:
        """Everything works again: databases, Kafka, and all processes."""
        installation = self.installation
        self.world.slow = SLOW
        installation.broker.away = False
        installation.code.mended = True
        for database in installation.databases.values():
            database.away = False
        rewound = {consumer.removesuffix(".main") for consumer, _, _ in self.rewound}
        for name, running in list(installation.running.items()):
            installation.thaw(running.process)
            if running.service in rewound and not running.process.dead:
                installation.kill(name)  # a consumer that is idle would notice with the next event only
            if running.process.dead:
                installation.start(name)
        self.world.note("nemesis", "heals")

    def _strike(self, kind: str) -> None:
        told = self.KINDS[kind](self)
        self.happened[kind] = self.happened.get(kind, 0) + 1
        self.world.note("nemesis", f"{kind}: {told}")

    def _any(self, names: list[str]) -> str:
        return names[int(self.world.random.random() * len(names))]

    def _kill(self) -> str:
        return self._kill_now(self._any(sorted(self.installation.running)))

    def _kill_now(self, name: str) -> str:
        running = self.installation.running[name]
        if not running.process.dead:
            self.installation.kill(name)
            self.world.after(self.world.between(0.0, 4.0), self._restart, name)
        return running.process.name

    def _restart(self, name: str) -> None:
        if self.installation.process(name).dead:
            self.installation.start(name)

    def _freeze(self) -> str:
        name = self._any(sorted(self.installation.running))
        process = self.installation.process(name)
        if not process.dead and not process.frozen:
            self.installation.freeze(name)
            self.world.after(self.world.between(0.5, 6.0), self.installation.thaw, process)
        return process.name

    def _end_sessions(self) -> str:
        name = self._any(sorted(self.installation.databases))
        self.installation.databases[name].end_sessions(None, "terminating connection due to administrator command")
        return name

    def _database_away(self) -> str:
        name = self._any(sorted(self.installation.databases))
        database = self.installation.databases[name]
        database.away = True
        database.end_sessions(None, "the database is restarted")

        def back() -> None:
            database.away = False

        self.world.after(self.world.between(0.2, 3.0), back)
        return name

    def _kafka_away(self) -> str:
        broker = self.installation.broker
        broker.away = True
        broker.lose_leader()

        def back() -> None:
            broker.away = False
            broker.wake()

        self.world.after(self.world.between(0.2, 3.0), back)
        return "all of it"

    def _wipe(self) -> str:
        topic = self._any(sorted(TOPICS.values()))
        self.installation.broker.wipe(topic)
        self.wiped[topic] = self.wiped.get(topic, 0) + 1
        return topic

    def _lose_partition(self) -> str:
        return self._lose_partition_of(self._any(sorted(TOPICS.values())))

    def _lose_and_kill(self) -> str:
        service = self._any(sorted(TOPICS))
        self.installation.doomed[service] = self._befall
        return self._lose_partition_of(TOPICS[service])

    def _befall(self, name: str) -> None:
        self.world.note("nemesis", f"{self._kill_now(name)} dies of what it was told")

    def _lose_partition_of(self, topic: str) -> str:
        number = int(self.world.random.random() * self.installation.broker.count)
        self.installation.broker.topic(topic)[number] = Partition()
        self.wiped[topic] = self.wiped.get(topic, 0) + 1
        self.installation.broker.wake()
        return f"{topic}/{number}"

    def _rewind(self) -> str:
        service = self._any(sorted(READS))
        database = self.installation.databases[service]
        places = sorted(database.table("checkpoint"))
        if not places:
            return "nothing to rewind"
        place = places[int(self.world.random.random() * len(places))]
        if ("checkpoint", place) in database.locks:
            return "locked just now"
        row = database.table("checkpoint")[place]
        back = int(self.world.random.random() * (row["next_offset"] + 1))
        database.table("checkpoint")[place] = {**row, "next_offset": back}
        self.rewound.add(place)
        return f"{place} to {back}"

    def _rewind_relay(self) -> str:
        service = self._any(sorted(TOPICS))
        database, topic = self.installation.databases[service], TOPICS[service]
        row = database.table("relay_mark").get(topic)
        if row is None or ("relay_mark", topic) in database.locks:
            return "not now"
        back = int(self.world.random.random() * (row["position"] + 1))
        database.table("relay_mark")[topic] = {**row, "position": back}
        database.end_sessions(None, "terminating connection due to administrator command")
        return f"{topic} to {back}"

    def _rebalance(self) -> str:
        name = self._any(sorted(self.installation.broker.groups))
        self.installation.broker.group(name).shake()
        return name

    def _write_rubbish(self) -> str:
        topic = TOPICS["order"]
        if topic in self.wiped:  # a known limit: what others write there can stand in for what was lost
            return "not into a topic made anew"
        number = int(self.world.random.random() * self.installation.broker.count)
        partition = self.installation.broker.topic(topic)[number]
        key = f"customer-{int(self.world.random.random() * 3)}".encode() if self.world.chance(0.5) else None
        offset = partition.append(key, RUBBISH, [("ce_id", b"rubbish")])
        self.rubbish.append((topic, offset, partition))
        self.installation.broker.wake()
        return f"{topic}/{number} at {offset} key={key!r}"

    def _mend(self) -> str:
        self.installation.code.mended = True
        return "loyalty takes what it refused"

    KINDS: ClassVar[dict[str, Callable[["Nemesis"], str]]] = {
        "kill": _kill,
        "freeze": _freeze,
        "sessions": _end_sessions,
        "database away": _database_away,
        "kafka away": _kafka_away,
        "wipe": _wipe,
        "partition lost": _lose_partition,
        "partition and relay lost": _lose_and_kill,
        "rewind": _rewind,
        "relay rewind": _rewind_relay,
        "rebalance": _rebalance,
        "rubbish": _write_rubbish,
        "mend": _mend,
    }
