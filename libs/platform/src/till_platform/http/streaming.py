"""How much a request may hold: a megabyte, unless its route reads it as a stream."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.types import Message, Receive, Scope

from till_platform.http.problems import Refusal

F = TypeVar("F", bound=Callable[..., Any])
LARGEST_BODY = 1024 * 1024
_NUL = b"\\u0000"
_MARK = "till_streamed"


def streamed(endpoint: F) -> F:
    """Mark a route that reads its request as a stream, of any length. Goes below the router's decorator."""
    setattr(endpoint, _MARK, True)
    return endpoint


def limited(scope: Scope, receive: Receive) -> Receive:
    """Return a `receive` that refuses a body which is too large, or holds what no text column can.

    Which route it is for is known by the time the body is asked for.
    """
    size = 0
    tail = b""

    async def receive_limited() -> Message:
        nonlocal size, tail
        message = await receive()
        if message["type"] != "http.request" or getattr(scope.get("endpoint"), _MARK, False):
            return message
        body: bytes = message.get("body", b"")
        size += len(body)
        if size > LARGEST_BODY:
            raise Refusal(413, "too-large", f"a request may hold {LARGEST_BODY} bytes")
        if _NUL in tail + body:
            raise Refusal(422, "invalid", "the request holds a NUL character, which no text may")
        tail = body[-len(_NUL) + 1 :]
        return message

    return receive_limited
