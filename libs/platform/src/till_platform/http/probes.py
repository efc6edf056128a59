"""What those who run a service ask it: does it live, is it ready, how is it doing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

import structlog
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from till_platform.telemetry.metrics import REGISTRY

Check = Callable[[], Awaitable[Any]]
"""Returns what is worth knowing (or None) when all is well; raises `NotReady`, or anything else, when it is not."""

_PATIENCE = 2.0
_log = structlog.get_logger(__name__)


class NotReady(Exception):
    """Why a service should get no traffic at the moment, in words for its operator."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


def router(checks: Mapping[str, Check]) -> APIRouter:
    """Return the routes that need no token and show nothing of the business."""
    probes = APIRouter(include_in_schema=False)

    @probes.get("/livez")
    async def livez() -> dict[str, str]:
        """The process answers. Nothing outside it is asked: a restart would not mend that."""
        return {"status": "alive"}

    @probes.get("/readyz")
    async def readyz() -> Response:
        """Everything the service needs answers."""
        results = await asyncio.gather(*(_asked(name, check) for name, check in checks.items()))
        ready = all(result["ok"] for result in results)
        body = {"status": "ready" if ready else "not ready", "checks": dict(zip(checks, results, strict=True))}
        return JSONResponse(body, status_code=200 if ready else 503)

    @probes.get("/metrics")
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return probes


async def _asked(name: str, check: Check) -> dict[str, Any]:
    started = perf_counter()
    result: dict[str, Any] = {"ok": True}
    try:
        async with asyncio.timeout(_PATIENCE):
            details = await check()
        if details is not None:
            result["details"] = details
    except NotReady as error:
        result = {"ok": False, "reason": error.reason, **({"details": error.details} if error.details else {})}
    except TimeoutError:
        result = {"ok": False, "reason": f"no answer within {_PATIENCE:g} s"}
    except Exception as error:  # noqa: BLE001 - whatever a check stumbles over means not ready, and must not hide the other checks
        _log.warning("readiness check failed", check=name, exc_info=error)
        result = {"ok": False, "reason": type(error).__name__}
    result["ms"] = round((perf_counter() - started) * 1000, 1)
    return result
