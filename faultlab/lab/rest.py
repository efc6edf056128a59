"""Green: every event is on its topic and taken by everybody, nothing is parked, and all say that they are ready."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import psycopg

from faultlab.lab.installation import NAMESPACE, SERVICES, Installation
from faultlab.lab.proxy import HOST

TELLS_AFTER = 10.0
PATIENCE = 90.0
"""So many seconds after healing all must be at rest."""
_OPEN = "SELECT id FROM dead_letter WHERE settled_at IS NULL AND reason <> 'waiting' ORDER BY id LIMIT 50"


async def time_to_green(installation: Installation, tell: Callable[[str], None]) -> tuple[float, str]:
    """Wait until all is at rest, and tell now and then for what; return after how many seconds it was, and what is not if it never was."""
    began = time.monotonic()
    told = TELLS_AFTER
    while True:
        try:
            unsettled = await asyncio.to_thread(_unsettled, installation)
        except psycopg.OperationalError as error:
            unsettled = f"the database is not there: {error}"
        if not unsettled:
            ready = await asyncio.gather(*(asyncio.to_thread(one.is_ready) for one in installation.members.values()))
            waiting = [name for name, is_ready in zip(installation.members, ready, strict=True) if not is_ready]
            unsettled = f"not ready: {', '.join(waiting)}" if waiting else ""
        seconds = time.monotonic() - began
        if not unsettled or seconds > PATIENCE:
            return seconds, f"{seconds:.0f} s after healing: {unsettled}" if unsettled else ""
        if seconds > told:
            tell(f"  still after {seconds:.0f} s: {unsettled}")
            told += TELLS_AFTER
        await asyncio.sleep(0.1)


async def until_still(installation: Installation, tell: Callable[[str], None]) -> str:
    """Wait until every message is sent and nobody has anything left to do; return what is still to do if that takes too long."""
    began = time.monotonic()
    while waiting := await asyncio.to_thread(installation.rows, "notification", _WAITING):
        if time.monotonic() - began > PATIENCE:
            return f"{len(waiting)} messages are not sent, the first after {waiting[0][0]} attempts: {waiting[0][1]}"
        await asyncio.sleep(0.5)
    _, unsettled = await time_to_green(installation, tell)
    return unsettled


def _unsettled(installation: Installation) -> str:
    published: dict[str, dict[str, Any]] = {}
    for service in SERVICES:
        ((head,),) = installation.rows(service, "SELECT position FROM log_head")
        marks = installation.rows(service, "SELECT position, ends FROM relay_mark")
        if not marks or marks[0][0] < head:
            return f"{service} has published {marks[0][0] if marks else 0} of {head} events"
        published[f"{NAMESPACE}.{service}"] = marks[0][1]
    for service in SERVICES:
        _give_up_letters(installation, service)
        if behind := _behind(installation, service, published):
            return behind
        if waiting := installation.rows(service, "SELECT count(*) FROM parked_key")[0][0]:
            return f"{service} has {waiting} parked keys"
    return ""


_WAITING = """
WITH sooner AS (
    UPDATE effect SET not_before = clock_timestamp() - interval '1 hour' WHERE done_at IS NULL AND not_before > clock_timestamp()
)
SELECT attempts, coalesce(last_error, 'nobody tried') FROM effect WHERE done_at IS NULL ORDER BY id
"""
"""What failed some times waits for minutes, and what is due by a clock that was wrong for an hour: right in a shop, too long here."""


def _behind(installation: Installation, service: str, published: dict[str, dict[str, Any]]) -> str:
    places = installation.rows(service, "SELECT topic, partition, next_offset, last_position FROM checkpoint")
    for topic, number, offset, position in places:
        if topic not in published:  # of a service that this chain does without
            continue
        end, last = published[topic].get(str(number), (0, 0))
        if position < last or offset < end:
            return f"{service} is at {offset} ({position}) of {topic}/{number}, the end is {end} ({last})"
    return "" if places else f"{service} has read nothing"


def _give_up_letters(installation: Installation, service: str) -> None:
    """What an operator does with rubbish, through the API."""
    member = installation.members_of(service)[0]
    for (letter,) in installation.rows(service, _OPEN):
        headers = {"Authorization": f"Bearer {installation.issuer.token('admin')}"}
        address = f"http://{HOST}:{member.port}/v1/dead-letters/{letter}/discard"
        try:
            httpx2.post(address, json={"why": "no event at all"}, headers=headers, timeout=10)
        except (httpx2.HTTPError, json.JSONDecodeError):
            return
