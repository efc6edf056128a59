"""A command sent twice is done once: the first answer is stored with the events, and given again to whoever asks again."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, TypeVar, cast

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from till_platform.context import answer_wanted, answering
from till_platform.domain import Aggregate, DomainError
from till_platform.eventstore.errors import RepeatedCommand
from till_platform.http.access import caller
from till_platform.http.problems import Refusal

A = TypeVar("A", bound=Aggregate)
R = TypeVar("R", bound=BaseModel)
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


class _Answer(Generic[A, R]):
    """What will be answered, as the bytes that are stored in the transaction of the command's events."""

    def __init__(self, key: str, fingerprint: bytes, status: int, reply: Callable[[A], R]) -> None:
        self.key = key
        self.fingerprint = fingerprint
        self.rendered: tuple[int, bytes] | None = None
        self._status = status
        self._reply = reply

    def render(self, aggregate: Aggregate) -> tuple[int, bytes]:
        self.rendered = self.of(cast("A", aggregate))
        return self.rendered

    def of(self, result: A) -> tuple[int, bytes]:
        return self._status, self._reply(result).model_dump_json(by_alias=True).encode()


class OnceCommand:
    """Runs a command at most once per idempotency key and caller.

    `reply` makes the answer from the aggregate the command saves first, which must also be what it returns. It runs before the commit
    (`aggregate.pending` still holds what is new), so the answer is stored with the events or not at all. A command that had nothing to save
    (a receipt sent twice under two keys) is answered from the aggregate as it stands, with 200 where a new one would get 201.
    """

    def __init__(self, request: Request, key: str, fingerprint: bytes) -> None:
        self._request = request
        self._key = key
        self._fingerprint = fingerprint

    async def __call__(
        self, command: Callable[[], Awaitable[A]], reply: Callable[[A], R], *, status: int | None = None
    ) -> R:
        """Run `command` and answer with `reply`, or answer as before. `status` is the route's own unless given."""
        route_status = getattr(self._request.scope.get("route"), "status_code", None)
        answer = _Answer(self._key, self._fingerprint, status or route_status or 200, reply)
        try:
            with answering(answer):
                result = await command()
                stored = answer_wanted() is not answer
        except RepeatedCommand as repeated:
            return cast("R", self._again(repeated))
        except DomainError:
            # What was allowed the first time may be refused now that it is done: the first answer stands.
            if first := await self._first_answer():
                return cast("R", self._again(first))
            raise
        if stored:
            assert answer.rendered is not None, "an answer is stored only after it was rendered"
            # The bytes that were stored are the bytes that are sent; FastAPI passes a response on as it is.
            return cast("R", _response(*answer.rendered, version=result.version))
        # Nothing was saved: there was nothing to do. Either this command did it before, or somebody else's.
        if first := await self._first_answer():
            return cast("R", self._again(first))
        status, body = answer.of(result)
        return cast("R", _response(200 if status == 201 else status, body, version=result.version))

    async def _first_answer(self) -> RepeatedCommand | None:
        first: RepeatedCommand | None = await self._request.app.state.parts.log.answer_to(self._key)
        return first

    def _again(self, first: RepeatedCommand) -> Response:
        if first.fingerprint != self._fingerprint:
            raise Refusal(422, "idempotency-key-reused", "this Idempotency-Key was used for another request")
        response = _response(first.status, first.body)
        response.headers["Idempotent-Replayed"] = "true"
        return response


def _response(status: int, body: bytes, *, version: int | None = None) -> Response:
    response = Response(body, status_code=status, media_type="application/json")
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
    return response


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None, Header(description="Any text that is new for every new command and the same when it is sent again.")
    ] = None,
) -> OnceCommand:
    who = caller(request)
    if idempotency_key is None:
        raise Refusal(
            400, "idempotency-key-needed", "send an Idempotency-Key, so that this is done once however often it is sent"
        )
    if not _KEY.fullmatch(idempotency_key):
        raise Refusal(400, "idempotency-key-unreadable", "an Idempotency-Key is 1 to 200 visible ASCII characters")
    return OnceCommand(request, f"{who.subject}:{idempotency_key}", await fingerprint(request))


async def fingerprint(request: Request) -> bytes:
    """Return a hash of what is asked: method, path and body. The body was read by then and is not read again."""
    hashed = hashlib.sha256()
    for part in (request.method.encode(), request.scope["path"].encode(), await request.body()):
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()


Once = Annotated[OnceCommand, Depends(_once)]
