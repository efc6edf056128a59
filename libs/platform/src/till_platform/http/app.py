"""A service's HTTP face: its own routers, and what every service has."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from till_platform.auth import Tokens
from till_platform.http import api_page, asyncapi_page, probes
from till_platform.http.middleware import Origin
from till_platform.http.probes import Check
from till_platform.http.problems import Problem, answer_with_problems
from till_platform.parts import Parts

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_ANY_ROUTE: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "no good bearer token"},
    403: {"model": Problem, "description": "the role may not do this, or not in this store"},
    422: {"model": Problem, "description": "the request, or what it asks for, makes no sense"},
}


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def create_app(
    service: str,
    version: str,
    *,
    routers: Sequence[APIRouter] = (),
    parts: Parts | None = None,
    tokens: Tokens | None = None,
    checks: Mapping[str, Check] | None = None,
    asyncapi: Callable[[], dict[str, Any]] | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Build the app of one service.

    `parts` is what routes may ask for; a `lifespan` that opens them sets `app.state.parts` instead. `checks` say whether the service is
    ready; `asyncapi` gives the description of its topics. `tokens` are judged by the settings unless a judge is given; without either
    nobody is let in, which is enough to print the OpenAPI document.
    """
    app = FastAPI(
        title=f"Tillstream {service}",
        version=version,
        lifespan=lifespan or _nothing,
        middleware=[Middleware(Origin)],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own spans carry the query string: phone numbers and names. `Origin` makes ours.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = parts
    app.state.ending = asyncio.Event()
    """Set when the process is asked to end: what goes on for ever ends then."""
    app.state.streams = set()
    app.state.tokens = tokens or (Tokens.of(parts.settings, parts.clock) if parts else None)
    answer_with_problems(app)
    for router in routers:
        app.include_router(router, responses=_ANY_ROUTE)
    app.include_router(probes.router(checks or {}))
    app.include_router(asyncapi_page.router(service, asyncapi or dict))
    api_page.show(app)
    return app
