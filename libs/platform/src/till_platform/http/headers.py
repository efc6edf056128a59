"""Versions over HTTP: a read says which version it saw, a write says which one it means."""

import re
from typing import Annotated

from fastapi import Depends, Header
from starlette.responses import Response

from till_platform.domain import Aggregate
from till_platform.eventstore.errors import VersionConflict
from till_platform.http.problems import Refusal

_STRONG = re.compile(r'"(\d{1,9})"')


def etag(version: int) -> str:
    """Return the ETag of the thing in this version, e.g. `"3"`."""
    return f'"{version}"'


def tag(response: Response, version: int) -> None:
    """Say in the response which version was read or written."""
    response.headers["ETag"] = etag(version)


async def _if_match(
    if_match: Annotated[
        str | None, Header(description='The ETag of the version that is to be changed, e.g. `"3"`.')
    ] = None,
) -> int:
    if if_match is None:
        raise Refusal(428, "version-needed", "say in If-Match which version you are changing: the ETag you were given")
    match = _STRONG.fullmatch(if_match.strip())
    if match is None:
        raise Refusal(400, "version-unreadable", 'If-Match must be one ETag as it was given, e.g. "3"')
    return int(match[1])


if_match = Depends(_if_match)
Version = Annotated[int, if_match]
"""The version that a caller wants to change, from `If-Match`. 428 when it does not say; a stale one is a 412."""


def must_be(version: int, aggregate: Aggregate) -> None:
    """Refuse to change a version that is not the present one; raise `VersionConflict`."""
    if aggregate.version != version:
        raise VersionConflict(
            f"this is version {aggregate.version}, not {version}", version=aggregate.version, expected=version
        )
