from datetime import UTC, datetime

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from till_events.order import Transition, WorkflowPublished, WorkflowStatus
from till_order.domain.workflow import (
    PHASES,
    InvalidWorkflow,
    Workflow,
    default_statuses,
    default_transitions,
    find_faults,
    may_follow,
)
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def statuses(**phases: str) -> tuple[WorkflowStatus, ...]:
    return tuple(WorkflowStatus(status=status, phase=phase, name=status) for status, phase in phases.items())


def moves(*pairs: tuple[str, str]) -> tuple[Transition, ...]:
    return tuple(Transition(*pair) for pair in pairs)


def workflow(*published: tuple[tuple[WorkflowStatus, ...], tuple[Transition, ...], str]) -> Workflow:
    chain = Workflow(Workflow.stream("default"))
    for content in published:
        chain.publish(*content, NOW)
    return chain


DEFAULT = (default_statuses(), default_transitions(), "new")
KIOSK = (statuses(new="new", sold="completed"), moves(("new", "sold")), "new")


def test_the_default_workflow_can_be_published() -> None:
    given(Workflow("workflow-default")).when(lambda w: w.publish(*DEFAULT, NOW)).then(
        happened(WorkflowPublished, workflow_id="default", version=1, initial="new")
    )


def test_publishing_the_same_workflow_again_changes_nothing() -> None:
    given(workflow(DEFAULT)).when(lambda w: (w.collect_events(), w.publish(*DEFAULT, NOW))).then_nothing()


def test_every_publication_gets_the_next_version() -> None:
    assert [edition.version for edition in workflow(DEFAULT, KIOSK, DEFAULT).editions] == [1, 2, 3]


def test_the_default_workflow_leads_from_new_through_all_phases_to_completed() -> None:
    edition = workflow(DEFAULT).current
    assert edition.legal_moves("new", "new") == ["approval", "cancelled"]
    assert edition.legal_moves("delivery", "delivery") == ["completed", "cancelled"]
    assert edition.legal_moves("completed", "completed") == ["returned"]
    assert edition.legal_moves("cancelled", "cancelled") == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            (statuses(new="new", sold="finished"), moves(("new", "sold")), "new"),
            "status sold has no known phase: finished",
        ),
        (
            (statuses(new="new", sold="completed"), moves(("new", "sold")), "start"),
            "the initial status start is not one of",
        ),
        ((statuses(sold="completed"), (), "sold"), "the initial status sold is in phase completed"),
        ((statuses(new="new", sold="completed"), moves(("new", "gone")), "new"), "unknown status gone"),
        ((statuses(new="new", sold="completed"), (), "new"), "no way leads from new to a completed status"),
        ((KIOSK[0], moves(("new", "sold"), ("sold", "new")), "new"), "sold (completed) cannot lead to new (new)"),
        ((KIOSK[0], moves(("new", "sold"), ("new", "sold")), "new"), "a transition is there twice"),
        ((KIOSK[0], moves(("new", "new"), ("new", "sold")), "new"), "new leads to itself"),
        ((KIOSK[0] * 2, moves(("new", "sold")), "new"), "a status is there twice"),
        (
            (statuses(new="new", sold="completed", off="cancelled"), moves(("new", "sold"), ("sold", "off")), "new"),
            "sold (completed) cannot lead to off (cancelled)",
        ),
        (
            (statuses(new="new", sold="completed", back="returned"), moves(("new", "sold"), ("new", "back")), "new"),
            "new (new) cannot lead to back (returned)",
        ),
        (
            (statuses(new="new", stuck="assembly", sold="completed"), moves(("new", "sold"), ("new", "stuck")), "new"),
            "no way leads from stuck to an end",
        ),
    ],
)
def test_a_workflow_that_orders_cannot_live_by_is_refused_and_told_why(content, fault: str) -> None:
    outcome = given(Workflow("workflow-default")).when(lambda w: w.publish(*content, NOW)).then_refused(InvalidWorkflow)
    assert any(fault in found for found in outcome.refusal.facts["faults"])


def test_all_faults_are_named_at_once() -> None:
    faults = find_faults(statuses(new="sometime"), moves(("new", "gone")), "start")
    assert len(faults) == 3


def test_an_order_goes_on_by_the_newest_version_that_knows_its_status() -> None:
    chain = workflow(DEFAULT, KIOSK)
    assert chain.edition_for("new").version == 2
    assert chain.edition_for("assembly").version == 1


@for_all(st.lists(st.sampled_from(PHASES), min_size=1, max_size=20))
def test_no_way_through_the_phases_undoes_a_completion(wishes: list[str]) -> None:
    path = ["new"]
    for phase in wishes:
        if may_follow(path[-1], phase):
            path.append(phase)
    if "completed" in path:
        assert set(path[path.index("completed") :]) <= {"completed", "returned"}
    if "cancelled" in path:
        assert set(path[path.index("cancelled") :]) == {"cancelled"}
    assert "returned" not in path or "completed" in path
