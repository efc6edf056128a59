"""How much a request may hold: a megabyte, unless its route reads it as a stream."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.types import Message, Receive, Scope

from till_platform.http.problems import Refusal
from till_platform.http.texts import holding_nul_in_json, refuse_fields

F = TypeVar("F", bound=Callable[..., Any])
LARGEST_BODY = 1024 * 1024
_MARK = "till_streamed"
_ENDED = "till_body_ended"


def streamed(endpoint: F) -> F:
    """Mark a route that reads its request as a stream, of any length. Goes below the router's decorator."""
    setattr(endpoint, _MARK, True)
    return endpoint


def limited(scope: Scope, receive: Receive) -> Receive:
    """Return a `receive` that refuses a body which is too large, or holds what no text column can.

    Which route it is for is known by the time the body is asked for.
    """
    size = 0
    parts: list[bytes] = []

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            scope[_ENDED] = True
        if message["type"] != "http.request" or getattr(scope.get("endpoint"), _MARK, False):
            return message
        body: bytes = message.get("body", b"")
        size += len(body)
        if size > LARGEST_BODY:
            raise Refusal(413, "too-large", f"a request may hold {LARGEST_BODY} bytes")
        parts.append(body)
        if not message.get("more_body"):
            refuse_fields(holding_nul_in_json(b"".join(parts)))
        return message

    return receive_limited


async def read_on(scope: Scope, receive: Receive) -> None:
    """Read what is left of a request and forget it: who still sends does not read yet."""
    while not scope.get(_ENDED) and (await receive())["type"] == "http.request":
        pass
