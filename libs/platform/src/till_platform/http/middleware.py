"""What every request gets before its route is looked for: a thread to pull (correlation and trace), a caller, a limit, a measurement."""

import re
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from till_events.ids import new_id
from till_platform import context
from till_platform.auth import Tokens, Who
from till_platform.context import Context
from till_platform.http.access import SCOPE_KEY, identify
from till_platform.http.problems import internal, route_of
from till_platform.http.streaming import limited
from till_platform.telemetry import metrics
from till_platform.telemetry.tracing import current_traceparent, span, valid_traceparent

_log = structlog.get_logger(__name__)
_CORRELATION = re.compile(rb"[A-Za-z0-9._-]{1,64}")


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
        tokens: Tokens | None = scope["app"].state.tokens
        who = await identify(headers.get(b"authorization"), tokens)
        scope[SCOPE_KEY] = who
        given = headers.get(b"x-correlation-id", b"")
        correlation_id = given.decode() if _CORRELATION.fullmatch(given) else new_id()
        answer = _Answer(send, correlation_id)
        started = perf_counter()
        with span("http.request", parent=valid_traceparent(headers.get(b"traceparent")), kind="server") as current:
            origin = Context(
                correlation_id=correlation_id,
                actor=who.actor if isinstance(who, Who) else None,
                traceparent=current_traceparent(),
            )
            try:
                with context.within(origin):
                    await self._answer(scope, limited(scope, receive), answer)
            finally:
                method, route = scope["method"], route_of(scope)
                current.name(f"{method} {route}")
                current.note(method=method, route=route, status=answer.status)
                metrics.http_request(method, route, answer.status, perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            _log.error("request failed", method=scope["method"], route=route_of(scope), exc_info=error)
            if not answer.started:
                await internal()(scope, receive, answer)
            raise


class _Answer:
    """Passes the answer on, with what every answer carries."""

    __slots__ = ("_correlation_id", "_send", "started", "status")

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self._correlation_id = correlation_id.encode()
        self.status = 500
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.started = True
            headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
            headers.append((b"x-correlation-id", self._correlation_id))
            if position := context.recorded_position():
                headers.append((b"x-event-position", str(position).encode()))
            message = {**message, "headers": headers}
        await self._send(message)
