"""What every request gets before its route is looked for: a thread to pull (correlation and trace), a caller, a limit, a measurement."""

import re
from dataclasses import replace
from time import perf_counter
from urllib.parse import parse_qsl

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from till_events.ids import new_id
from till_platform import context
from till_platform.auth import Tokens, Who
from till_platform.context import Context
from till_platform.http.access import SCOPE_KEY, identify
from till_platform.http.problems import internal, problem, route_of
from till_platform.http.streaming import limited
from till_platform.http.texts import NUL, REFUSAL, complaints, holding_nul
from till_platform.telemetry import metrics
from till_platform.telemetry.tracing import current_traceparent, span, valid_traceparent

_log = structlog.get_logger(__name__)
# Only a UUID is taken over from the caller: a free text would sooner or later be somebody's card number.
_CORRELATION = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Origin:
    """Puts correlation id, trace and actor into the ambient context, under which the log records what the request leads to.

    A plain ASGI middleware: nothing is buffered, and the context reaches the route and what it streams.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-correlation-id", b"")
        parent = valid_traceparent(headers.get(b"traceparent"))
        answer = _Answer(send, given.decode() if _CORRELATION.fullmatch(given) else new_id())
        started = perf_counter()
        with span("http.request", parent=parent, kind="server") as current:
            origin = Context(correlation_id=answer.correlation_id, traceparent=current_traceparent() or parent)
            try:
                await self._handle(scope, receive, answer, origin, headers.get(b"authorization"))
            except Exception as error:
                with context.within(origin):
                    await _failed(scope, receive, answer, error)
                raise
            finally:
                method, route = scope["method"], route_of(scope)
                current.name(f"{method} {route}")
                current.note(method=method, route=route, status=answer.status)
                metrics.http_request(method, route, answer.status, perf_counter() - started)

    async def _handle(
        self, scope: Scope, receive: Receive, send: Send, origin: Context, authorization: bytes | None
    ) -> None:
        tokens: Tokens | None = scope["app"].state.tokens
        scope[SCOPE_KEY] = who = await identify(authorization, tokens)
        with context.within(replace(origin, actor=who.actor) if isinstance(who, Who) else origin):
            if NUL in scope["path"] or b"%00" in scope["query_string"]:
                fields = holding_nul([("path", scope["path"]), *parse_qsl(scope["query_string"].decode("latin-1"))])
                refused = problem(422, "invalid", REFUSAL, {"errors": complaints(fields)})
                await refused(scope, receive, send)
                return
            await self.app(scope, limited(scope, receive), send)


async def _failed(scope: Scope, receive: Receive, answer: "_Answer", error: Exception) -> None:
    _log.error("request failed", method=scope["method"], route=route_of(scope), exc_info=error)
    if not answer.started:
        await internal()(scope, receive, answer)


class _Answer:
    """Passes the answer on, with what every answer carries."""

    __slots__ = ("_send", "correlation_id", "started", "status")

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self.correlation_id = correlation_id
        self.status = 500
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.started = True
            headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
            headers.append((b"x-correlation-id", self.correlation_id.encode()))
            if position := context.recorded_position():
                headers.append((b"x-event-position", str(position).encode()))
            message = {**message, "headers": headers}
        await self._send(message)
