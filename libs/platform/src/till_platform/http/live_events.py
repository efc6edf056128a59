"""Every public event of a service as it is recorded, as server-sent events: for pages and programs that have no Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from till_platform.auth import Who
from till_platform.domain import Forbidden, Invalid
from till_platform.http.access import allow
from till_platform.http.deps import PartsDep
from till_platform.http.problems import Refusal
from till_platform.parts import Parts
from till_platform.public_log import end_of, read_stretch

POLL_SECONDS = 0.5
BEAT_SECONDS = 15.0
LONGEST_SECONDS = 900.0
"""A stream outlives its token by no more than this. Its reader comes back by itself, and says where it was."""
AT_ONCE = 32
"""So many streams one process serves. Each asks the database twice a second."""

router = APIRouter(prefix="/v1", tags=["events"])
Reader = Annotated[Who, allow("integration", "auditor", "admin")]


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "CloudEvents in structured mode, one each"}},
)
async def live_events(
    request: Request,
    who: Reader,
    parts: PartsDep,
    *,
    after: Annotated[int | None, Query(ge=0, description="Begin after this log position; 0 is the beginning.")] = None,
    types: Annotated[list[str] | None, Query(alias="type", description="Only events of these types.")] = None,
    until_end: Annotated[bool, Query(description="End when everything recorded by now was sent.")] = False,
    last_event_id: Annotated[str | None, Header(description="The log position of the last event received.")] = None,
) -> StreamingResponse:
    """Follow what this service records, in the order of its log. Without a place to begin: what comes from now on.

    The id of each event is its log position: a reader that comes back with `Last-Event-ID` misses nothing and gets nothing twice. The
    events hold personal data, and those of all stores.
    """
    if who.stores is not None:
        raise Forbidden("your token reaches some stores only, the log is of all")
    if last_event_id is not None:
        if not last_event_id.isdecimal():
            raise Invalid("this is not the id of an event that was sent", field="Last-Event-ID")
        after = int(last_event_id)
    if after is None:
        after = await parts.reads.run(end_of)
    streams: set[asyncio.Task[None] | None] = request.app.state.streams
    if len(streams) >= AT_ONCE:
        raise Refusal(
            503, "too-many-streams", "this process serves as many streams as it may", headers={"Retry-After": "10"}
        )
    ending: asyncio.Event = request.app.state.ending
    return StreamingResponse(
        _counted(streams, _stream(parts, after, types, ending, until_end=until_end)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _counted(streams: set[asyncio.Task[None] | None], chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    me = asyncio.current_task()
    streams.add(me)
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        streams.discard(me)


async def _stream(
    parts: Parts, after: int, types: list[str] | None, ending: asyncio.Event, *, until_end: bool
) -> AsyncIterator[bytes]:
    service = parts.settings.service
    started = beat = time.monotonic()
    yield b"retry: 1000\n\n"
    while not ending.is_set() and time.monotonic() - started < LONGEST_SECONDS:
        position = after
        stretch = await parts.reads.run(
            lambda connection: read_stretch(connection, service, position, types=types)  # noqa: B023 - awaited here
        )
        after = stretch.until
        if stretch.events:
            yield b"".join(b"id: %d\ndata: %s\n\n" % (event.position, event.line) for event in stretch.events)
            beat = time.monotonic()
        if not stretch.at_end:
            continue
        if until_end:
            return
        if time.monotonic() - beat > BEAT_SECONDS:
            yield b": \n\n"  # keeps whatever is between us from taking the silence for an end
            beat = time.monotonic()
        try:
            await asyncio.wait_for(ending.wait(), POLL_SECONDS)
        except TimeoutError:
            continue
