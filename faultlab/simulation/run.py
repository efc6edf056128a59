"""One run: a seed, an installation, tills, faults, healing, rest, and the oracle's judgement."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from psycopg import OperationalError

from faultlab.simulation.installation import READS, SERVICES, Defences, Installation
from faultlab.simulation.nemesis import RUBBISH, UNTIL, Nemesis
from faultlab.simulation.oracle import Oracle
from faultlab.simulation.substitutes import substituted
from faultlab.simulation.tills import Tills
from faultlab.simulation.world import SLOW, Process, Stuck, World
from till_events import catalogue
from till_platform.domain import DomainError
from till_platform.worker import letters
from till_platform.worker.parking import WAITING

MOST_STEPS = 60_000
PATIENCE = 60.0
"""So many virtual seconds after healing everything must be at rest."""
assert catalogue


@dataclass(frozen=True)
class Scenario:
    """What a run is made of besides its seed."""

    name: str = "all defences"
    defences: Defences = field(default_factory=Defences)
    weakened: Callable[[World], AbstractContextManager[Any]] = lambda _: nullcontext()
    faults: frozenset[str] | None = None
    commands: int = 6
    slow: float = SLOW


@dataclass
class Outcome:
    """What a run showed."""

    seed: int
    violations: dict[str, str]
    faults: dict[str, int]
    counts: dict[str, int]
    steps: int
    seconds: float
    timeline: list[tuple[float, str, str]]

    def told(self) -> list[str]:
        """Return the timeline, line by line."""
        return [f"{when:9.4f} {who:16} {what}" for when, who, what in self.timeline]


def run(seed: int, scenario: Scenario | None = None) -> Outcome:
    """Run one seed."""
    scenario = scenario or Scenario()
    world = World(seed, slow=scenario.slow)
    with substituted(world), scenario.weakened(world):
        try:
            return _run(world, scenario)
        finally:
            world.end()


def _run(world: World, scenario: Scenario) -> Outcome:
    installation = Installation(world, scenario.defences)
    for service in SERVICES:
        installation.start(f"{service}-1")
        installation.start(f"{service}-2")
    nemesis = Nemesis(world, installation, only=scenario.faults)
    tills = Tills(world, installation, scenario.commands, refused=world.chance(0.4))
    oracle = Oracle(installation, tills, nemesis)
    try:
        world.run(lambda: world.now >= UNTIL, most_steps=MOST_STEPS)
        nemesis.heal()
        operator = Operator(installation)
        deadline = world.now + PATIENCE
        rest = _Rest(world, oracle, operator, deadline)
        world.run(lambda: rest.over, most_steps=MOST_STEPS)
        if rest.unsettled:
            oracle.broken("I13", f"{PATIENCE:.0f} s after healing: {rest.unsettled}")
    except Stuck as stuck:
        oracle.broken("I13", str(stuck))
    oracle.judge()
    return Outcome(
        world.seed, oracle.violations, nemesis.happened, installation.counts, world.steps, world.now, world.timeline
    )


class _Rest:
    """Looks every now and then whether everything is at rest, and lets the operator look after dead letters."""

    def __init__(self, world: World, oracle: Oracle, operator: "Operator", deadline: float) -> None:
        self.over = False
        self.unsettled = ""
        self._world = world
        self._oracle = oracle
        self._operator = operator
        self._deadline = deadline
        self._look()

    def _look(self) -> None:
        self.unsettled = self._oracle.unsettled()
        self.over = not self.unsettled or self._world.now >= self._deadline
        if not self.over:
            self._operator.look()
            self._world.after(1.0, self._look)


class Operator:
    """Takes dead letters up again once the code is mended, and gives up what is no event at all."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._busy: dict[str, Process] = {}
        """Where he sees to a letter of a service; if that process is killed he hears no more of it."""

    def look(self) -> None:
        """See to an open letter of each service, what is no event first: those that wait behind it cannot be taken before."""
        for service in READS:
            rows = self._installation.databases[service].table("dead_letter").values()
            waiting = [
                row["id"]
                for row in sorted(rows, key=lambda row: (row["value"] != RUBBISH, row["id"]))
                if row["settled_at"] is None and row["reason"] != WAITING
            ]
            running = self._installation.running[f"{service}-1"]
            busy = service in self._busy and not self._busy[service].dead
            if waiting and not busy and not running.process.dead:
                self._busy[service] = running.process
                done = running.process.run_in_executor(running.threads, self._settle, service, waiting[0])
                done.add_done_callback(lambda _, name=service: self._busy.pop(name))  # type: ignore[misc]

    def _settle(self, service: str, number: int) -> None:
        installation = self._installation
        process = installation.process(f"{service}-1")
        transaction = installation.make_transaction(service)
        try:
            session: Any = installation.databases[service].connect(process)
            found = letters.letter(session, number)
            if found.value == RUBBISH:
                letters.discard(session, transaction, number, why="no event at all", by="operator")
            else:
                letters.retry(session, transaction, number, by="operator")
            installation.world.note("operator", f"settled letter {number} of {service}")
            session.close()
        except (DomainError, OperationalError) as error:
            installation.world.note("operator", f"letter {number} of {service}: {error}")
