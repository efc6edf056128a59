"""What must be true, whatever happened: the logs are folded by hand, in order, and everything else is compared with that."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from faultlab.simulation.installation import READS, SERVICES, TOPICS, Installation
from faultlab.simulation.kafka import Record
from faultlab.simulation.nemesis import RUBBISH, Nemesis
from faultlab.simulation.postgres import Key, Row
from faultlab.simulation.shop import points_for, step
from faultlab.simulation.substitutes import LEASE
from faultlab.simulation.tills import Tills
from till_events.codec import decode

LONGEST_FROM_CLAIM_TO_CALL = 3.0
"""A lease begins with the claim, a call some steps later."""
INVARIANTS = {
    "I1": "a payment that was accepted is in the log once, one that was refused is not, and one of unknown fate at most once",
    "I2": "positions are gapless and in commit order, versions of a stream are 1 to n",
    "I3": "who reads the topic from its beginning finds every public event of the log in order, and nothing that was never recorded",
    "I4": "every payment gave its points once, in the order of payments",
    "I5": "read models are what the log folds to",
    "I6": "every grant of points led to one message, and no call was made beside one that was under way",
    "I7": "the sums by store are the sums of the payments",
    "I8": "a checkpoint never falls behind what was taken, unless it was rewound on purpose",
    "I9": "what was delivered was either taken or is in the dead letters, and parked keys are released",
    "I10": "one idempotency key has one answer, and another request under it is refused",
    "I13": "after healing everything comes to rest, and nothing is stopped by a bug",
}


@dataclass(frozen=True)
class Event:
    """An event of a log, read without any of the code that is tested but the codec."""

    position: int
    id: str
    key: str
    event: Any


class Oracle:
    """Watches a run and judges it; keeps the first counter-example of each invariant."""

    def __init__(self, installation: Installation, tills: Tills, nemesis: Nemesis) -> None:
        self.violations: dict[str, str] = {}
        self._installation = installation
        self._world = installation.world
        self._tills = tills
        self._nemesis = nemesis
        for service, database in installation.databases.items():
            database.watchers.append(
                lambda before, after, name=service: self._committed(name, before, after)  # type: ignore[misc]
            )

    def broken(self, invariant: str, example: str) -> None:
        """Note a counter-example."""
        if invariant not in self.violations:
            self.violations[invariant] = f"at {self._world.now:.3f} s: {example}"
            self._world.note("oracle", f"{invariant} is broken: {example}")

    def log(self, service: str) -> list[Event]:
        """Return a service's log in order."""
        table = self._installation.databases[service].table("log")
        rows = [table[position] for position in sorted(table)]
        return [Event(r["position"], str(r["id"]), r["key"], decode(r["type"], r["data"])) for r in rows]

    def unsettled(self) -> str:
        """Return what is not at rest yet, in words; nothing if all is."""
        if not self._tills.done:
            return "tills wait for answers"
        for service, topic in TOPICS.items():
            if missing := self._missing(service, topic):
                return f"{topic} lacks positions {sorted(missing)[:5]}"
        for service, topics in READS.items():
            for topic in topics:
                if behind := self._behind(service, topic):
                    return behind
            database = self._installation.databases[service]
            if any(row["settled_at"] is None for row in database.table("dead_letter").values()):
                return f"{service} has open letters"
        if any(row["done_at"] is None for row in self._installation.databases["notification"].table("effect").values()):
            return "messages wait to be sent"
        return ""

    def judge(self) -> None:
        """Check everything that must be true at rest."""
        for bug in self._world.bugs:
            self.broken("I13", bug)
        self._commands()
        self._logs()
        for service, topic in TOPICS.items():
            self._topic(service, topic)
        self._points()
        self._read_models()
        self._messages()
        self._letters()

    def _committed(self, service: str, before: Mapping[Key, Row | None], after: Mapping[Key, Row | None]) -> None:
        for (table, key), row in after.items():
            if table == "checkpoint" and row is not None and (old := before[table, key]) is not None:
                excused = key in self._nemesis.rewound or key[1] in self._nemesis.wiped
                if row["last_position"] < old["last_position"] or (
                    row["next_offset"] < old["next_offset"] and not excused
                ):
                    self.broken("I8", f"{key} went from {old['next_offset']} back to {row['next_offset']}")
            if table == "log" and any(
                place > key and ("log", place) not in after
                for place in self._installation.databases[service].table("log")
            ):
                self.broken("I2", f"position {key} of {service} was committed after a later one")

    def _missing(self, service: str, topic: str) -> set[int]:
        log = self._installation.databases[service].table("log")
        there = {
            position_of(record) for partition in self._installation.broker.topic(topic) for record in partition.records
        }
        return set(log) - there

    def _behind(self, service: str, topic: str) -> str:
        checkpoints = self._installation.databases[service].table("checkpoint")
        for number, partition in enumerate(self._installation.broker.topic(topic)):
            row = checkpoints.get((f"{service}.main", topic, number))
            if row is not None and topic in self._nemesis.wiped:  # made anew, it may end before the offset once reached
                behind = row["last_position"] < max(map(position_of, partition.records), default=0)
            else:
                behind = row is None or row["next_offset"] != partition.end
            if behind:
                return f"{service} is not at the end of {topic}/{number}"
        return ""

    def _commands(self) -> None:
        recorded: dict[str, int] = {}
        for found in self.log("order"):
            recorded[found.event.payment_id] = recorded.get(found.event.payment_id, 0) + 1
        for command in self._tills.history:
            times = recorded.get(command.payment_id, 0)
            accepted = any(status == 201 for status, _ in command.answers)
            if times > 1 or (accepted and times == 0):
                self.broken("I1", f"{command.key} was answered {command.answers}, and is in the log {times} times")
            if command.done and not accepted and command.asked == 1 and times:
                self.broken("I1", f"{command.key} was refused, and is in the log")
            bodies = {body for status, body in command.answers if status == 201}
            if len(bodies) > 1:
                self.broken("I10", f"{command.key} was answered {sorted(bodies)}")
        if others := [status for status in self._tills.other_bodies if status != 422]:
            self.broken("I10", f"another request under a used key was answered {others}")

    def _logs(self) -> None:
        for service in SERVICES:
            table = self._installation.databases[service].table("log")
            if sorted(table) != list(range(1, len(table) + 1)):
                self.broken("I2", f"positions of {service}: {sorted(table)}")
            versions: dict[str, int] = {}
            for position in sorted(table):
                row = table[position]
                if row["sequence"] != versions.get(row["stream"], 0) + 1:
                    self.broken(
                        "I2", f"{row['stream']}: version {row['sequence']} follows {versions.get(row['stream'])}"
                    )
                versions[row["stream"]] = row["sequence"]

    def _topic(self, service: str, topic: str) -> None:
        log = self._installation.databases[service].table("log")
        found: set[int] = set()
        for number, partition in enumerate(self._installation.broker.topic(topic)):
            last = 0
            for record in partition.records:
                headers = dict(record.headers)
                if headers["ce_id"] == b"rubbish":
                    continue
                position = int(headers["ce_logposition"])
                row = log.get(position)
                if row is None or (record.value, headers["ce_id"].decode()) != (row["data"], str(row["id"])):
                    self.broken("I3", f"{topic}/{number} holds at {record.offset} what {service} never recorded")
                if position > last == int(headers["ce_prevposition"]):
                    found.add(position)
                    last = position
        if missing := set(log) - found:
            self.broken("I3", f"who reads {topic} from its beginning never comes to positions {sorted(missing)[:5]}")

    def _points(self) -> None:
        grants: dict[str, list[tuple[str, int]]] = {}
        for found in self.log("loyalty"):
            grants.setdefault(found.key, []).append((found.event.adjustment_id, found.event.points))
        expected: dict[str, list[tuple[str, int]]] = {}
        for found in self.log("order"):
            mine = expected.setdefault(found.key, [])
            mine.append((found.id, points_for(found.event.amount_minor, len(mine))))
        for key in sorted(expected | grants):
            if grants.get(key) != expected.get(key):
                self.broken("I4", f"{key} was given {_told(grants.get(key))}, paid for {_told(expected.get(key))}")

    def _read_models(self) -> None:
        payments, points = self.log("order"), self.log("loyalty")
        paid: dict[Any, tuple[Any, ...]] = {}
        for found in payments:
            _, times, amount, trail = paid.get((found.key,), (found.key, 0, 0, 0))
            more = found.event.amount_minor
            paid[found.key,] = (found.key, times + 1, amount + more, step(trail, more))
        given: dict[Any, tuple[Any, ...]] = {}
        for found in points:
            _, total, times, trail = given.get((found.key,), (found.key, 0, 0, 0))
            more = found.event.points
            given[found.key,] = (found.key, total + more, times + 1, step(trail, more))
        heard = {(found.id,): (found.id, found.key, found.position) for found in (*payments, *points)}
        self._compare("loyalty", "payments.paid", paid, "I5")
        self._compare("notification", "points_view.points", given, "I5")
        self._compare("notification", "heard.heard", heard, "I5")
        amounts = [found.event.amount_minor for found in payments]
        sales = {("S1",): ("S1", len(amounts), sum(amounts))} if amounts else {}
        self._compare("loyalty", "payments.sales", sales, "I7")

    def _compare(self, service: str, table: str, expected: Mapping[Any, Any], invariant: str) -> None:
        found: dict[Any, Any] = {
            key: tuple(row.values()) for key, row in self._installation.databases[service].table(table).items()
        }
        for key in sorted({*expected, *found}):
            if found.get(key) != expected.get(key):
                self.broken(invariant, f"{service} {table}: {found.get(key)} where {expected.get(key)} is right")
                return

    def _messages(self) -> None:
        granted = {found.id for found in self.log("loyalty")}
        provider, database = self._installation.provider, self._installation.databases["notification"]
        asked = {row["key"] for row in database.table("effect").values()}
        sent = [found.event.message_id for found in self.log("notification")]
        if asked != granted or sorted(sent) != sorted(granted):
            self.broken("I6", f"{len(granted)} grants, {len(asked)} effects, {len(sent)} messages recorded")
        if sorted(provider.accepted) != sorted(granted):
            self.broken("I6", f"the provider took {len(provider.accepted)} messages, not {len(granted)}")
        for key, calls in sorted(provider.calls.items()):
            for earlier, later in pairwise(calls):
                over = earlier.caller.dead or (earlier.ended is not None and earlier.ended <= later.began)
                lapsed = later.began - earlier.began >= LEASE.total_seconds() - LONGEST_FROM_CLAIM_TO_CALL
                if not (over or lapsed):
                    self.broken("I6", f"{key} was asked for again after {later.began - earlier.began:.3f} s")

    def _letters(self) -> None:
        for service in READS:
            database = self._installation.databases[service]
            letters = list(database.table("dead_letter").values())
            if waiting := [row["id"] for row in letters if row["settled_at"] is None]:
                self.broken("I9", f"letters {waiting} of {service} are still open")
            if parked := sorted(database.table("parked_key")):
                self.broken("I9", f"{parked} are still parked")
            kept = {(row["topic"], row["partition"], row["offset"]) for row in letters if row["value"] == RUBBISH}
            for topic, offset, partition in self._nemesis.rubbish:
                if (
                    topic in self._nemesis.wiped
                ):  # what stands before the offset a reader had reached is repeats, or is rubbish
                    continue
                for number, current in enumerate(self._installation.broker.topic(topic)):
                    if current is partition and (topic, number, offset) not in kept:
                        self.broken("I9", f"the rubbish at {topic}/{number}:{offset} is not among {service}'s letters")


def position_of(record: Record) -> int:
    """Return the log position a record says it has; 0 if it says none."""
    return int(dict(record.headers).get("ce_logposition", 0))


def _told(grants: list[tuple[str, int]] | None) -> str:
    return " ".join(f"{name[-4:]}:{points}" for name, points in grants or []) or "nothing"
