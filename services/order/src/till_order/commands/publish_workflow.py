"""Publish the steps by which a chain's orders go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from till_events.order import Transition, WorkflowStatus
from till_order.domain.workflow import DEFAULT, Workflow, default_statuses, default_transitions
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class PublishWorkflow:
    """A whole workflow: its statuses, the moves between them, and where orders begin."""

    workflow_id: str
    statuses: Sequence[WorkflowStatus]
    transitions: Sequence[Transition]
    initial: str


async def publish_workflow(command: PublishWorkflow, log: Log, now: datetime) -> Workflow:
    """Publish a workflow, or its next version. Raises `InvalidWorkflow` naming every fault."""
    workflow = await log.find(Workflow, command.workflow_id)
    workflow.publish(command.statuses, command.transitions, command.initial, now)
    if workflow.pending:
        await log.save(workflow)
    return workflow


async def publish_default(log: Log, now: datetime) -> None:
    """Give the chain the workflow it starts with, unless it has published one of its own."""
    workflow = await log.find(Workflow, DEFAULT)
    if not workflow.exists:
        workflow.publish(default_statuses(), default_transitions(), "new", now)
        await log.save(workflow)
