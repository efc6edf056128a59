"""The steps by which a chain's orders go."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field

from till_events.order import Transition, WorkflowStatus
from till_order.api.access import Admin, Reader
from till_order.api.bodies import Body, Id
from till_order.api.past import PastVersion, as_of
from till_order.api.replies import Reply
from till_order.commands.publish_workflow import PublishWorkflow, publish_workflow
from till_order.domain.workflow import InvalidWorkflow, Workflow
from till_platform.domain import NotFound
from till_platform.http import ClockDep, LogDep, Once, problems, tag

router = APIRouter(prefix="/v1/workflows", tags=["workflows"])
Phase = Literal["new", "approval", "assembly", "delivery", "completed", "cancelled", "returned"]
WorkflowId = Annotated[str, Path(min_length=1, max_length=64)]


class StatusBody(Body):
    """One of the chain's own statuses, and the phase it belongs to."""

    status: Id
    phase: Phase
    name: Annotated[str, Field(min_length=1, max_length=200)]


class TransitionBody(Body):
    from_status: Id
    to_status: Id


class WorkflowBody(Body):
    """A whole workflow."""

    statuses: Annotated[list[StatusBody], Field(min_length=1, max_length=100)]
    transitions: Annotated[list[TransitionBody], Field(max_length=2_000)]
    initial: Id


class StatusReply(Reply):
    status: str
    phase: str
    name: str


class TransitionReply(Reply):
    from_status: str
    to_status: str


class WorkflowReply(Reply):
    """A workflow as it was last published."""

    workflow_id: str
    version: int
    statuses: list[StatusReply]
    transitions: list[TransitionReply]
    initial: str
    published_at: datetime

    @classmethod
    def of(cls, workflow: Workflow) -> "WorkflowReply":
        published = workflow.published
        assert published is not None, "a workflow that exists was published"
        return cls(
            workflow_id=published.workflow_id,
            version=published.version,
            statuses=[StatusReply.model_validate(status) for status in published.statuses],
            transitions=[TransitionReply.model_validate(move) for move in published.transitions],
            initial=published.initial,
            published_at=published.occurred_at,
        )


@router.post("/{workflow_id}", status_code=201, responses=problems(InvalidWorkflow))
async def publish_one(
    workflow_id: WorkflowId, body: WorkflowBody, _: Admin, log: LogDep, clock: ClockDep, once: Once
) -> WorkflowReply:
    """Publish a workflow, or its next version. The same content again changes nothing.

    Orders under way follow the new version as soon as it knows the status they are in; else they go on by the newest version that does.
    """
    command = PublishWorkflow(
        workflow_id=workflow_id,
        statuses=[WorkflowStatus(**status.model_dump()) for status in body.statuses],
        transitions=[Transition(**move.model_dump()) for move in body.transitions],
        initial=body.initial,
    )
    return await once(lambda: log.retrying(lambda: publish_workflow(command, log, clock.now())), WorkflowReply.of)


@router.get("/{workflow_id}", responses=problems(NotFound))
async def show_workflow(
    workflow_id: WorkflowId, _: Reader, log: LogDep, response: Response, version: PastVersion = None
) -> WorkflowReply:
    """Show a workflow, as it is or as it was in an earlier version."""
    workflow = await as_of(log, await log.load(Workflow, workflow_id), version)
    tag(response, workflow.version)
    return WorkflowReply.of(workflow)
