"""Long lists in and out, one JSON document per line, in constant memory however long they are."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from till_platform.domain import DomainError, Invalid
from till_platform.http.problems import failure
from till_platform.http.streaming import read_on
from till_platform.http.texts import holding_nul_in_json

T = TypeVar("T")
MEDIA_TYPE = "application/x-ndjson"
LONGEST_LINE = 1024 * 1024
LONGEST_REST_SECONDS = 60
"""How long the rest of a request is read after the work has failed."""
_IN_MEMORY = 256 * 1024
_AT_ONCE = 64 * 1024


class UnreadableLine(Invalid):
    """A line is not the JSON document it should be. The others are taken as they come."""

    code = "unreadable-line"


async def ndjson_in(
    request: Request, decoder: Callable[[bytes], T], chunk: int = 500
) -> AsyncIterator[list[tuple[int, T | DomainError]]]:
    """Read the request line by line, `chunk` lines at a time, with the number of each line (from 1).

    `decoder` makes an item of a line, e.g. `msgspec.json.Decoder(Line).decode`; where it raises `msgspec.DecodeError` or `ValueError`, the
    item is an `UnreadableLine`. Empty lines are passed over. Mark the route with `@streamed`, else a megabyte is all it gets.
    """
    chunked: list[tuple[int, T | DomainError]] = []
    async for number, line in _lines(request):
        chunked.append((number, _decoded(line, decoder)))
        if len(chunked) >= chunk:
            yield chunked
            chunked = []
    if chunked:
        yield chunked


def ndjson_out(answers: AsyncIterable[Iterable[Any]], status: int = 200) -> Response:
    """Answer with one line per item of the lists that `answers` yields, sent as soon as they are known.

    Items are msgspec structs, dicts or pydantic models. Work goes on whether or not the caller reads meanwhile: what it has not taken waits
    on disk. A caller that sends everything before it reads anything would otherwise wait for us, and we for it, for ever.
    """
    return _Answers(answers, status)


async def _lines(request: Request) -> AsyncIterator[tuple[int, bytes | None]]:
    """Cut the stream into numbered lines; None for a line that is too long, whose rest is dropped as it comes."""
    number = 0
    rest = b""
    dropping = False
    async for data in request.stream():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            number += 1
            if dropping:
                dropping = False
            elif len(line) > LONGEST_LINE:
                yield number, None
            elif not line.isspace() and line:
                yield number, line
        if len(rest) > LONGEST_LINE:
            if not dropping:
                yield number + 1, None
            dropping = True
        if dropping:
            rest = b""
    if rest and not rest.isspace() and not dropping:
        yield number + 1, rest


def _decoded(line: bytes | None, decoder: Callable[[bytes], T]) -> T | DomainError:
    if line is None:
        return UnreadableLine(f"the line is longer than {LONGEST_LINE} bytes")
    if fields := holding_nul_in_json(line):
        return UnreadableLine("the line holds a NUL character", field=fields[0])
    try:
        return decoder(line)
    except msgspec.ValidationError as error:
        return UnreadableLine(str(error))
    except (ValueError, RecursionError):
        return UnreadableLine("the line is not a JSON document")


class _Answers(Response):
    """Sends answers while the request is still being read.

    Starlette's own streaming response listens for a disconnect meanwhile, and would swallow parts of the request by that.
    """

    media_type = MEDIA_TYPE

    def __init__(self, answers: AsyncIterable[Iterable[Any]], status: int) -> None:
        super().__init__(status_code=status)
        del self.headers["content-length"]
        self._answers = answers
        self._more = asyncio.Event()
        self._done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            writer = asyncio.create_task(self._write(spool))
            # When the work has failed, nobody reads the request any more; a caller that sends all of it first would never come to ours.
            reading_on = asyncio.create_task(_after_failure(writer, scope, receive))
            try:
                async for data in self._written(spool):
                    await send(_part(data))
                await writer
            except ClientDisconnect:
                return
            except Exception as error:
                # The status was sent long ago. So the last line says it, and the answer breaks off: nobody shall take it for whole.
                await send(_part(b'{"problem":' + bytes(failure(error).body) + b"}\n"))
                await reading_on
                raise
            finally:
                writer.cancel()
                reading_on.cancel()
                await asyncio.wait([writer, reading_on])
        await send(_part(b"", more=False))

    async def _write(self, spool: "SpooledTemporaryFile[bytes]") -> None:
        encoder = msgspec.json.Encoder(enc_hook=_plain)
        try:
            async for answers in self._answers:
                spool.seek(0, 2)
                spool.write(encoder.encode_lines(list(answers)))
                self._more.set()
                await asyncio.sleep(0)
        finally:
            self._done = True
            self._more.set()

    async def _written(self, spool: "SpooledTemporaryFile[bytes]") -> AsyncIterator[bytes]:
        taken = 0
        while True:
            done = self._done
            spool.seek(taken)
            if data := spool.read(_AT_ONCE):
                taken += len(data)
                yield data
            elif done:
                return
            else:
                if taken:  # everything was taken: start over, so that a patient reader costs no disk
                    spool.seek(0)
                    spool.truncate()
                    taken = 0
                self._more.clear()
                await self._more.wait()


async def _after_failure(work: "asyncio.Task[None]", scope: Scope, receive: Receive) -> None:
    await asyncio.wait([work])
    if not work.cancelled() and work.exception() is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_REST_SECONDS):
                await read_on(scope, receive)


def _part(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be a line")
