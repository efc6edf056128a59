"""Every refusal as an RFC 9457 problem: one stable `type` per rule, one table from kinds of refusals to HTTP status codes."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from till_events.codec import Unrecordable
from till_platform.auth import Unauthenticated
from till_platform.context import current
from till_platform.domain import DomainError
from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.keys import KeysUnavailable

_log = structlog.get_logger(__name__)
TYPES = "https://tillstream.dev/problems/"
MEDIA_TYPE = "application/problem+json"
_STATUS_OF_KIND = {"invalid": 422, "not_found": 404, "conflict": 409, "forbidden": 403}
_CODE_OF_STATUS = {
    400: "unreadable-request",
    404: "no-such-route",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}
_MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})


class Refusal(HTTPException):
    """A request that is refused for what it is as HTTP, before any rule of the business is asked."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **facts: Any
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.facts = facts


class Problem(BaseModel):
    """What is wrong, for people (`title`, `detail`) and for programs (`type`). Some problems have more members, e.g. `legal` moves."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str


def problem(
    status: int,
    code: str,
    detail: str,
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as a response. `instance` is the correlation id: the thread to pull in logs and in the event log."""
    members = {
        "type": TYPES + code,
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": current().correlation_id,
    }
    more = {name: value for name, value in (facts or {}).items() if name not in _MEMBERS}
    body = msgspec.json.encode({**members, **more}, enc_hook=str)
    return Response(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def problem_of(error: DomainError, *, if_match: bool = False) -> Response:
    """Return the problem that a refusal by the domain is over HTTP. With `if_match`, a stale version is a failed precondition."""
    status = 412 if if_match and error.code == "version-conflict" else _STATUS_OF_KIND[error.kind]
    return problem(status, error.code, error.detail, error.facts)


def problems(*refusals: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """Document which refusals a route may answer with: `@router.post(…, responses=problems(IllegalMove, OrderNotPayable))`."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for refusal in refusals:
        entry = by_status.setdefault(_STATUS_OF_KIND[refusal.kind], {"model": Problem, "description": ""})
        entry["description"] = ", ".join(filter(None, [entry["description"], refusal.code]))
    return by_status


def answer_with_problems(app: FastAPI) -> None:
    """Let the app answer every error with a problem."""
    app.add_exception_handler(DomainError, _refused_by_domain)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(Unauthenticated, _unauthenticated)
    app.add_exception_handler(KeysUnavailable, _keys_unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Unrecordable, _unrecordable)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _database_away)


async def _refused_by_domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    return problem_of(error, if_match="if-match" in request.headers)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return problem(error.status_code, error.code, error.detail, error.facts, error.headers)


async def _unauthenticated(_: Request, error: Exception) -> Response:
    assert isinstance(error, Unauthenticated)
    # RFC 6750: without credentials no error code is given, so that a caller is not told what it did not ask.
    challenge = "Bearer" if error.missing else f'Bearer error="invalid_token", error_description="{error.reason}"'
    return problem(401, "unauthenticated", error.reason, headers={"WWW-Authenticate": challenge})


async def _keys_unavailable(_: Request, error: Exception) -> Response:
    return problem(503, "keys-unavailable", str(error), headers={"Retry-After": "5"})


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"field": _field(entry), "reason": str(entry["msg"])} for entry in error.errors()]
    return problem(422, "invalid", "the request does not have the shape it must have", {"errors": errors})


async def _unrecordable(_: Request, error: Exception) -> Response:
    return problem(422, "unrecordable", str(error))


async def _database_away(_: Request, error: Exception) -> Response:
    return failure(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODE_OF_STATUS.get(error.status_code, "http-error")
    return problem(error.status_code, code, str(error.detail), headers=error.headers)


def internal() -> Response:
    """Return the problem of a bug: nothing of it but where to look."""
    return problem(500, "internal", "something is wrong on our side; it was logged under the id in `instance`")


def failure(error: Exception) -> Response:
    """Return the problem of what no rule has refused.

    While the database is away, whether a command was accepted is unknown; its idempotency key makes a repeat safe.
    """
    if not isinstance(error, DATABASE_AWAY):
        return internal()
    _log.warning("database_away", error=type(error).__name__)
    detail = "the database does not answer; repeat the request with the same Idempotency-Key"
    return problem(503, "unavailable", detail, headers={"Retry-After": "1"})


def route_of(scope: Mapping[str, Any]) -> str:
    """Return the route's template, e.g. `/v1/cards/{number}`: what was put in its place may be personal."""
    return str(getattr(scope.get("route"), "path", "none"))


def _field(entry: Mapping[str, Any]) -> str:
    """Name a field as its caller knows it: `lines.0.quantity`; parameters and headers by their own name."""
    where, *path = [str(part) for part in entry["loc"]]
    return where if not path or entry["type"] == "json_invalid" else ".".join(path)
