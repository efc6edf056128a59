"""What a route may ask for. All of it comes from the `Parts` the app was built with; nothing is global."""

from typing import Annotated

from fastapi import Depends, Request

from till_platform.clock import Clock
from till_platform.eventstore.log import Log
from till_platform.parts import Parts
from till_platform.projections.reads import Reads
from till_platform.settings import Settings


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _log(request: Request) -> Log:
    return (await _parts(request)).log


async def _reads(request: Request) -> Reads:
    return (await _parts(request)).reads


async def _clock(request: Request) -> Clock:
    return (await _parts(request)).clock


async def _settings(request: Request) -> Settings:
    return (await _parts(request)).settings


PartsDep = Annotated[Parts, Depends(_parts)]
LogDep = Annotated[Log, Depends(_log)]
ReadsDep = Annotated[Reads, Depends(_reads)]
ClockDep = Annotated[Clock, Depends(_clock)]
SettingsDep = Annotated[Settings, Depends(_settings)]
