"""What a service is made of, declared in its `wiring.py`. The five are the same house, room for room."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import APIRouter

from till_events import catalogue
from till_events.base import Event, declaration_of
from till_platform.batch import Batch
from till_platform.domain import Aggregate
from till_platform.effects.sender import Sender
from till_platform.eventstore.log import Log
from till_platform.figures import Figure
from till_platform.http import live_events
from till_platform.http.app import create_app
from till_platform.jobs import Job
from till_platform.kafka.asyncapi import describe
from till_platform.parts import Parts
from till_platform.projections.projection import Projection
from till_platform.reactions.reaction import Reaction
from till_platform.settings import Settings
from till_platform.webhooks import api as webhooks

assert catalogue  # importing it declares every event


class Watcher(Protocol):
    """Told of every batch after it is committed, to refresh what can be flushed at any time. It may miss batches: a crash forgets them."""

    async def committed(self, batch: Batch, parts: Parts) -> None:
        """Refresh what these facts changed."""
        ...


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service: its read models, its answers to events, its routes, and what it does outside and by the clock.

    `aggregates` are the things it decides about: the streams of its log.
    `seed` is run by `migrate` and publishes what a new installation starts with, if it is not there. `extensions` are PostgreSQL
    extensions its read models need.
    """

    name: str
    projections: Sequence[Projection]
    routers: Sequence[APIRouter]
    aggregates: Sequence[type[Aggregate]] = ()
    reactions: Sequence[Reaction] = ()
    senders: Sequence[Callable[[Parts], Sender]] = ()
    jobs: Sequence[Job] = ()
    watchers: Sequence[Watcher] = ()
    figures: Sequence[Figure] = ()
    seed: Callable[[Log], Awaitable[None]] | None = None
    settings: type[Settings] = Settings
    extensions: Sequence[str] = ()
    version: str = "0.1.0"

    @property
    def api(self) -> list[APIRouter]:
        """Its own routes, and those by which others read its log."""
        return [*self.routers, live_events.router, webhooks.router]

    @property
    def consumer(self) -> str:
        """The name of the service's consumer; its group in Kafka is this within the installation's namespace."""
        return f"{self.name}.worker"

    @property
    def reads(self) -> list[type[Event]]:
        """The events it has a use for."""
        projected = {cls for part in self.projections for cls in part.of}
        wanted = projected | {cls for part in self.reactions for cls in part.of}
        return sorted(wanted, key=lambda cls: declaration_of(cls).type)

    @property
    def sources(self) -> list[str]:
        """The services whose topics it reads, itself among them as a rule."""
        return sorted({declaration_of(cls).owner for cls in self.reads})


def openapi(service: Service) -> dict[str, Any]:
    """Return the OpenAPI document of the service's own routes."""
    return create_app(service.name, service.version, routers=service.api).openapi()


def asyncapi(service: Service) -> dict[str, Any]:
    """Return the AsyncAPI document of what the service publishes and reads, as FastStream sees it."""
    return describe(service.name, service.version, service.consumer, service.sources)
