"""Showing things as they were."""

from typing import Annotated, TypeVar

from fastapi import Query

from till_platform.domain import Aggregate, NotFound
from till_platform.eventstore.log import Log

A = TypeVar("A", bound=Aggregate)

PastVersion = Annotated[
    int | None, Query(ge=1, le=10**6, alias="version", description="Show it as it was after this many events")
]


async def as_of(log: Log, present: A, version: int | None) -> A:
    """Return an aggregate as it was in an earlier version, or as it is if none is asked for; raise `NotFound` for one to come."""
    if version is None or version == present.version:
        return present
    if version > present.version:
        raise NotFound(f"there is no version {version} yet", version=present.version)
    return await log.load_at(type(present), present.identity, version=version)
