"""The steps a chain's orders go through: data that the chain publishes, within phases that are the same everywhere."""

from collections.abc import Sequence
from datetime import datetime

from till_events.order import Transition, WorkflowPublished, WorkflowStatus
from till_platform.domain import Aggregate, Invalid

OPEN_PHASES = ("new", "approval", "assembly", "delivery")
PHASES = (*OPEN_PHASES, "completed", "cancelled", "returned")
DEFAULT = "default"


class InvalidWorkflow(Invalid):
    """Orders could not live by this workflow. `faults` names everything that is wrong with it."""

    code = "invalid-workflow"


def may_follow(phase: str, next_phase: str) -> bool:
    """Tell whether an order may get from one phase into another, whatever the chain's own statuses are.

    What was completed is not cancelled but returned; only what was completed is returned; from cancelled and returned no way leads back.
    """
    if phase == next_phase:
        return True
    if phase in OPEN_PHASES:
        return next_phase != "returned"
    return (phase, next_phase) == ("completed", "returned")


class Edition:
    """One published version of a workflow."""

    def __init__(self, published: WorkflowPublished) -> None:
        self.version = published.version
        self.initial = published.initial
        self.statuses = {status.status: status for status in published.statuses}
        self.moves: dict[str, tuple[str, ...]] = {}
        for move in published.transitions:
            self.moves[move.from_status] = (*self.moves.get(move.from_status, ()), move.to_status)

    def phase_of(self, status: str) -> str:
        return self.statuses[status].phase

    def legal_moves(self, status: str, phase: str) -> list[str]:
        """Return where an order in this status and phase may go."""
        return [to for to in self.moves.get(status, ()) if may_follow(phase, self.phase_of(to))]


class Workflow(Aggregate):
    """A chain's workflow with all its versions. Once published, a version never changes."""

    kind = "workflow"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.editions: list[Edition] = []
        self.published: WorkflowPublished | None = None

    @property
    def current(self) -> Edition:
        """The newest version, by which new orders are placed."""
        return self.editions[-1]

    def publish(
        self, statuses: Sequence[WorkflowStatus], transitions: Sequence[Transition], initial: str, now: datetime
    ) -> None:
        """Publish a new version. The same content again changes nothing. Raises `InvalidWorkflow` naming all faults."""
        faults = find_faults(statuses, transitions, initial)
        if faults:
            raise InvalidWorkflow("; ".join(faults), faults=faults)
        published = WorkflowPublished(
            workflow_id=self.identity,
            version=len(self.editions) + 1,
            statuses=tuple(statuses),
            transitions=tuple(transitions),
            initial=initial,
            occurred_at=now,
        )
        if self.published is None or _content(self.published) != _content(published):
            self.record(published)

    def edition_for(self, status: str) -> Edition:
        """Return the newest version that knows `status`: the one by which an order that stands there goes on.

        So running orders follow what the chain publishes, and an order in a status that was abolished still finds its way out.
        """
        return next(edition for edition in reversed(self.editions) if status in edition.statuses)

    def apply(self, event: object) -> None:
        if isinstance(event, WorkflowPublished):
            self.published = event
            self.editions = [*self.editions, Edition(event)]


def find_faults(statuses: Sequence[WorkflowStatus], transitions: Sequence[Transition], initial: str) -> list[str]:
    """Say in words everything that keeps orders from living by this workflow."""
    phases = {status.status: status.phase for status in statuses}
    faults = [f"status {status} has no known phase: {phase}" for status, phase in phases.items() if phase not in PHASES]
    if len(phases) < len(statuses):
        faults.append("a status is there twice")
    if initial not in phases:
        faults.append(f"the initial status {initial} is not one of its statuses")
    elif phases[initial] not in OPEN_PHASES:
        faults.append(f"the initial status {initial} is in phase {phases[initial]}")
    moves = [(move.from_status, move.to_status) for move in transitions]
    strangers = {status for move in moves for status in move if status not in phases}
    faults += [f"a transition names the unknown status {status}" for status in sorted(strangers)]
    if len(set(moves)) < len(moves):
        faults.append("a transition is there twice")
    return faults or _faulty_ways(phases, moves, initial)


def _faulty_ways(phases: dict[str, str], moves: Sequence[tuple[str, str]], initial: str) -> list[str]:
    faults = [f"{start} leads to itself" for start, end in moves if start == end]
    faults += [
        f"{start} ({phases[start]}) cannot lead to {end} ({phases[end]})"
        for start, end in moves
        if not may_follow(phases[start], phases[end])
    ]
    if not any(phases[status] == "completed" for status in _reachable(initial, moves)):
        faults.append(f"no way leads from {initial} to a completed status")
    faults += [
        f"no way leads from {status} to an end"
        for status, phase in phases.items()
        if phase in OPEN_PHASES and all(phases[end] in OPEN_PHASES for end in _reachable(status, moves))
    ]
    return faults


def _reachable(start: str, moves: Sequence[tuple[str, str]]) -> set[str]:
    reached, frontier = {start}, {start}
    while frontier:
        frontier = {end for begin, end in moves if begin in frontier} - reached
        reached |= frontier
    return reached


def _content(published: WorkflowPublished) -> tuple[object, ...]:
    return published.statuses, published.transitions, published.initial


def default_statuses() -> tuple[WorkflowStatus, ...]:
    """Return the statuses a chain starts with: one for each phase, of the same name."""
    return tuple(WorkflowStatus(status=phase, phase=phase, name=phase.capitalize()) for phase in PHASES)


def default_transitions() -> tuple[Transition, ...]:
    """Return the moves a chain starts with: from phase to phase, cancelled until completed, then returned."""
    forward = zip(OPEN_PHASES, (*OPEN_PHASES[1:], "completed"), strict=True)
    cancelling = ((phase, "cancelled") for phase in OPEN_PHASES)
    return tuple(Transition(*move) for move in (*forward, *cancelling, ("completed", "returned")))
