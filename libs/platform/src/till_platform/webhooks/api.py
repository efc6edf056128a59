"""Receivers, for those who look after other systems: `PUT` one, see what came of the calls, halt it, send again."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from till_platform.auth import Who
from till_platform.domain import Forbidden
from till_platform.http.access import allow
from till_platform.http.deps import PartsDep
from till_platform.http.problems import problems
from till_platform.parts import Parts
from till_platform.webhooks import endpoints
from till_platform.webhooks.endpoints import NoSuchWebhook
from till_platform.webhooks.guard import checked_url

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
Caller = Annotated[Who, allow("integration", "admin")]
Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]


class WebhookBody(BaseModel):
    """Where to call, and with what. Without `types` with every public event; without `after` with those from now on."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2_000)
    types: list[str] | None = Field(default=None, min_length=1, max_length=100)
    after: int | None = Field(
        default=None, ge=0, description="Counts only when it is added: the log position to begin after."
    )


class Why(BaseModel):
    """Why nobody is to be called."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=500)


class From(BaseModel):
    """The log position after which everything is sent again; 0 is everything."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(ge=0)


@router.put("/{name}", responses={201: {"description": "added; `secret` is shown this once"}})
async def put(name: Name, body: WebhookBody, who: Caller, parts: PartsDep, response: Response) -> dict[str, Any]:
    """Add a receiver, or change where and with what it is called. It gets events of all stores, and personal data."""
    _of_all_stores(who)
    url = checked_url(body.url, parts.settings.trusted_hosts)

    def write(connection: Connection[Any]) -> tuple[dict[str, Any], str | None]:
        return endpoints.put(connection, name, url=url, types=body.types, after=body.after, by=who.actor)

    found, secret = await parts.reads.run(write)
    if secret:
        response.status_code = 201
    return {**found, **({"secret": secret} if secret else {})}


@router.get("")
async def every(who: Caller, parts: PartsDep) -> dict[str, Any]:
    """List all receivers and where each stands."""
    _of_all_stores(who)
    return {"items": await parts.reads.run(endpoints.every)}


@router.get("/{name}", responses=problems(NoSuchWebhook))
async def one(name: Name, who: Caller, parts: PartsDep) -> dict[str, Any]:
    """Show a receiver and what came of the last calls."""
    _of_all_stores(who)
    return await parts.reads.run(lambda connection: endpoints.one(connection, name))


@router.post("/{name}/disable", responses=problems(NoSuchWebhook))
async def disable(name: Name, body: Why, who: Caller, parts: PartsDep) -> dict[str, Any]:
    """Call it no more until it is enabled; what is recorded meanwhile waits."""
    _of_all_stores(who)
    return await _changed(parts, name, lambda connection: endpoints.disable(connection, name, body.why))


@router.post("/{name}/enable", responses=problems(NoSuchWebhook))
async def enable(name: Name, who: Caller, parts: PartsDep) -> dict[str, Any]:
    """Go on where it was."""
    _of_all_stores(who)
    return await _changed(parts, name, lambda connection: endpoints.enable(connection, name))


@router.post("/{name}/replay", responses=problems(NoSuchWebhook))
async def replay(name: Name, body: From, who: Caller, parts: PartsDep) -> dict[str, Any]:
    """Send again everything after a log position, in order, and go on from there."""
    _of_all_stores(who)
    return await _changed(parts, name, lambda connection: endpoints.replay(connection, name, body.after))


@router.post("/{name}/rotate", responses=problems(NoSuchWebhook))
async def rotate(name: Name, who: Caller, parts: PartsDep) -> dict[str, Any]:
    """Give it a new secret, shown this once. For a day calls are signed with both."""
    _of_all_stores(who)
    return {"secret": await parts.reads.run(lambda connection: endpoints.rotate(connection, name))}


@router.delete("/{name}", status_code=204, responses=problems(NoSuchWebhook))
async def delete(name: Name, who: Caller, parts: PartsDep) -> None:
    """Forget it."""
    _of_all_stores(who)
    await parts.reads.run(lambda connection: endpoints.delete(connection, name))


async def _changed(parts: Parts, name: str, work: Callable[[Connection[Any]], None]) -> dict[str, Any]:
    await parts.reads.run(work)
    return await parts.reads.run(lambda connection: endpoints.one(connection, name))


def _of_all_stores(who: Who) -> None:
    if who.stores is not None:
        raise Forbidden("your token reaches some stores only, the log is of all")
