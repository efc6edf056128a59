"""What those who run a service may look at and do: where its consumers stand, its read models, its dead letters."""

import asyncio
from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from till_platform.auth import Who
from till_platform.http.access import allow
from till_platform.worker import letters

router = APIRouter(prefix="/v1", tags=["operations"])
Operator = Annotated[Who, allow("admin")]
Looker = Annotated[Who, allow("admin", "auditor")]


class Discard(BaseModel):
    """Why a dead letter is given up. Kept for ever."""

    why: str


@router.get("/consumers")
async def consumers(request: Request, who: Looker) -> dict[str, Any]:  # noqa: ARG001 - asked for its role only
    """Where the log, its topic and the consumer of this process stand."""
    running = request.app.state.running
    published = running.relay.position if running.relay else None
    return {
        "service": running.service.name,
        "roles": sorted(running.roles),
        "log": {"position": await running.parts.log.position(), "published": published},
        "consumers": running.worker.measures.places if running.worker else [],
        "stopped": {name: type(error).__name__ for name, error in running.failures.items()},
    }


@router.get("/projections")
async def projections(request: Request, who: Looker) -> dict[str, Any]:  # noqa: ARG001
    """The read models of this service, their versions and since when they are as they are."""
    parts = request.app.state.running.parts
    return {"items": await parts.reads.all("SELECT name, version, built_at FROM projection ORDER BY name")}


@router.get("/dead-letters")
async def dead_letters(
    request: Request,
    who: Looker,  # noqa: ARG001 - asked for its role only
    *,
    after: int = 0,
    limit: int = 100,
    reason: str | None = None,
    settled: bool = False,
) -> dict[str, Any]:
    """Records that could not be taken, oldest first."""
    parts = request.app.state.running.parts
    found = await parts.reads.run(
        lambda connection: letters.listed(
            connection, after=after, limit=min(limit, 1000), reason=reason, unsettled=not settled
        )
    )
    return {"items": found}


@router.get("/dead-letters/{letter_id}")
async def dead_letter(request: Request, letter_id: int, who: Operator) -> dict[str, Any]:  # noqa: ARG001
    """One record whole: its original bytes (base64) and headers. It may hold personal data."""
    parts = request.app.state.running.parts
    found = await parts.reads.run(lambda connection: letters.letter(connection, letter_id))
    return {name: _shown(getattr(found, name)) for name in type(found).__slots__}


@router.post("/dead-letters/{letter_id}/retry")
async def retry(request: Request, letter_id: int, who: Operator) -> dict[str, Any]:
    """Take a letter again, and in order all that waits behind it."""
    running = request.app.state.running

    def work() -> int:
        with running.parts.connect() as connection:
            return letters.retry(connection, running.new_transaction(), letter_id, by=who.subject)

    return {"taken": await asyncio.to_thread(work)}


@router.post("/dead-letters/{letter_id}/discard")
async def discard(request: Request, letter_id: int, body: Discard, who: Operator) -> dict[str, Any]:
    """Give a letter up, for a reason that is kept, and take what waits behind it."""
    running = request.app.state.running

    def work() -> int:
        with running.parts.connect() as connection:
            return letters.discard(connection, running.new_transaction(), letter_id, why=body.why, by=who.subject)

    return {"taken": await asyncio.to_thread(work)}


def _shown(value: Any) -> Any:
    return b64encode(value).decode() if isinstance(value, bytes) else value
