"""What a route may ask for. All of it comes from the `Parts` the app was built with; nothing is global."""

from typing import Annotated, Any

from fastapi import Depends, Request
from redis.asyncio import Redis

from till_platform.clock import Clock
from till_platform.eventstore.log import Log
from till_platform.settings import Settings


async def _parts(request: Request) -> Any:
    return request.app.state.parts


async def _log(request: Request) -> Any:
    return request.app.state.parts.log


async def _reads(request: Request) -> Any:
    return request.app.state.parts.reads


async def _clock(request: Request) -> Any:
    return request.app.state.parts.clock


async def _cache(request: Request) -> Any:
    return request.app.state.parts.cache


async def _settings(request: Request) -> Any:
    return request.app.state.parts.settings


PartsDep = Annotated[Any, Depends(_parts)]
LogDep = Annotated[Log, Depends(_log)]
ReadsDep = Annotated[Any, Depends(_reads)]
ClockDep = Annotated[Clock, Depends(_clock)]
CacheDep = Annotated[Redis, Depends(_cache)]
SettingsDep = Annotated[Settings, Depends(_settings)]
