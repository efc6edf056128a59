"""The command of every service: `till-<name> api | worker | relay | all | migrate | …`."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import psycopg
import structlog
import typer
from aiokafka.errors import KafkaError
from psycopg import Connection, sql

from till_platform import pair, process
from till_platform.eventstore.schema import MIGRATION_LOCK, SchemaRefused, migrate, pending
from till_platform.kafka.refusals import Refused, denial
from till_platform.kafka.signatures import signer_of, trust_of
from till_platform.kafka.topics import ensure_topics
from till_platform.parts import connect, open_parts
from till_platform.projections import tables
from till_platform.projections.following import TopicIncomplete
from till_platform.projections.projection import Projection
from till_platform.projections.rebuild import Rebuild
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.relay import NotLeading
from till_platform.relay.republish import Republish
from till_platform.service import Service, openapi
from till_platform.settings import Settings, SettingsError
from till_platform.telemetry.logs import configure_logging

WAIT_SECONDS = 2.0
_log = structlog.get_logger(__name__)


def command(service: Service) -> Callable[[], None]:
    """Return the entry point of a service."""
    app = typer.Typer(
        name=f"till-{service.name}",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help=f"The {service.name} service.",
    )
    _processes(app, service)
    _operations(app, service)
    _repairs(app, service)

    def main() -> None:
        process.tune_interpreter()
        try:
            app()
        except (SettingsError, SchemaRefused) as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from None
        except (KafkaError, Refused, TopicIncomplete) as error:
            sys.stderr.write(f"{denial(error) or f'{type(error).__name__}: {error}'}\n")
            raise SystemExit(3) from None
        except NotLeading:
            sys.stderr.write("somebody else publishes this log now, and goes on where this stopped\n")
            raise SystemExit(3) from None

    return main


def _settings(service: Service) -> Settings:
    settings = service.settings.read(service=service.name)
    configure_logging(settings)
    signer_of(settings), trust_of(settings)  # what cannot be read is told now
    if settings.environment == "production" and settings.kafka_protocol != "SASL_SSL":
        _log.warning("kafka_doors_open", why=f"TILL_KAFKA_PROTOCOL is {settings.kafka_protocol}, not SASL_SSL")
    return settings


def _processes(app: typer.Typer, service: Service) -> None:
    def serve(role: process.Role) -> None:
        process.serve(service, _settings(service), frozenset({role}))

    @app.command()
    def api() -> None:
        """Answer over HTTP."""
        serve("api")

    @app.command()
    def worker() -> None:
        """Keep read models, react to events, send and do what is due."""
        serve("worker")

    @app.command()
    def relay() -> None:
        """Publish the log to its topic."""
        serve("relay")

    @app.command(name="all")
    def everything(
        *,
        migrate_first: Annotated[bool, typer.Option("--migrate", help="Do first what `migrate` does.")] = False,
    ) -> None:
        """API, worker and relay: a small chain's whole service. The API has a process of its own."""
        settings = _settings(service)
        if migrate_first:
            asyncio.run(_migrate(service, settings))
        pair.serve(service, settings)


def _operations(app: typer.Typer, service: Service) -> None:
    @app.command(name="migrate")
    def migrate_() -> None:
        """Create missing tables and the topic, rebuild read models of an older version, publish what a new installation needs."""
        asyncio.run(_migrate(service, _settings(service)))

    @app.command()
    def migrated(
        *, wait: Annotated[bool, typer.Option("--wait", help="Wait until it is, as long as it takes.")] = False
    ) -> None:
        """Whether the database is as this version needs it; exit 1 if `migrate` has still to be run, or to end."""
        settings = _settings(service)
        while missing := _missing(service, settings):
            sys.stderr.write(f"{service.name}: {missing}\n")
            if not wait:
                raise typer.Exit(1)
            time.sleep(WAIT_SECONDS)

    @app.command()
    def config() -> None:
        """Print the effective settings, secrets masked."""
        typer.echo(json.dumps(_settings(service).masked(), indent=2))

    @app.command(name="openapi")
    def openapi_() -> None:
        """Print the OpenAPI document."""
        typer.echo(json.dumps(openapi(service), indent=2, ensure_ascii=False))


def _repairs(app: typer.Typer, service: Service) -> None:
    @app.command()
    def rebuild(
        names: Annotated[list[str] | None, typer.Argument(help="Projections; all if none is named.")] = None,
    ) -> None:
        """Build projections anew from their topics, beside the live ones, then swap."""
        settings = _settings(service)
        with connect(settings, long=True) as connection:
            asyncio.run(_rebuild(service, settings, names, connection).swap())

    @app.command()
    def verify(
        names: Annotated[list[str] | None, typer.Argument(help="Projections; all if none is named.")] = None,
    ) -> None:
        """Build projections anew and compare them with the live ones; exit 1 if one differs."""
        settings = _settings(service)
        with connect(settings, long=True) as connection:
            found = asyncio.run(_rebuild(service, settings, names, connection).compare())
        for one in found:
            line = {
                "service": service.name,
                "name": one.name,
                "digest": one.live,
                "rebuilt_digest": one.rebuilt,
                "equal": one.equal,
            }
            typer.echo(json.dumps(line))
        raise typer.Exit(0 if all(one.equal for one in found) else 1)

    @app.command()
    def republish(
        first: Annotated[int, typer.Option("--from", min=1, help="The first log position.")] = 1,
        last: Annotated[int | None, typer.Option("--to", min=1, help="The last one; all there are by default.")] = None,
        replace: Annotated[
            bool, typer.Option("--replace", help="Delete what is on the topic, then publish all.")
        ] = False,
    ) -> None:
        """Publish the log to its topic once more; readers drop what they have taken already."""
        settings = _settings(service)
        relay = Republish(
            service.name, lambda: connect(settings, long=True), KafkaSide(settings), signer=signer_of(settings)
        )
        done = asyncio.run(relay.once(_Telling(), first=first, last=last, replace=replace))
        typer.echo(json.dumps({"topic": relay.topic, "from": done[0], "to": done[1]}))


def _rebuild(service: Service, settings: Settings, names: list[str] | None, connection: Connection[Any]) -> Rebuild:
    return Rebuild(settings, service.consumer, _chosen(service, names), connection, _Telling(), _complain)


def _missing(service: Service, settings: Settings) -> str | None:
    """Return what this version still needs of the database. More than it knows of does no harm: releases add first and drop later."""
    try:
        with connect(settings) as connection:
            if left := pending(connection):
                return f"{len(left)} steps are to be applied"
            if others := tables.not_ready(connection, service.projections):
                return f"to be built: {', '.join(others)}"
    except psycopg.OperationalError as error:
        return f"the database is not reached: {type(error).__name__}"
    return None


async def _migrate(service: Service, settings: Settings) -> None:
    with connect(settings, long=True) as connection:
        migrate(connection)
        connection.execute("CREATE SCHEMA IF NOT EXISTS extensions")
        for extension in service.extensions:
            name = sql.Identifier(extension)
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA extensions").format(name))
        # Another process may be rebuilding a read model, for as long as that takes.
        connection.execute("SET lock_timeout = 0")
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        connection.execute("RESET lock_timeout")
        stale = tables.prepare(connection, service.projections, service.consumer)
        await ensure_topics(settings, [service.name, *service.sources])
        if stale:
            await Rebuild(settings, service.consumer, stale, connection, _Telling(), _complain).swap()
    if service.seed:
        async with open_parts(settings) as parts:
            await service.seed(parts.log)


def _chosen(service: Service, names: list[str] | None) -> list[Projection]:
    chosen = [part for part in service.projections if not names or part.name in names]
    unknown = set(names or ()) - {part.name for part in chosen}
    if unknown:
        raise typer.BadParameter(f"{service.name} has no projection {', '.join(sorted(unknown))}")
    return chosen


class _Telling:
    """Tells on stderr how far something is, how fast, and how long it will take, as lines of JSON."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def __call__(self, read: int, total: int) -> None:
        now = time.monotonic()
        since, before = self._first = self._first or (now, read)
        rate = (read - before) / (now - since) if now > since else 0
        left = round((total - read) / rate, 1) if rate else None
        told = {"read": read, "total": total, "per_second": round(rate), "seconds_left": left}
        sys.stderr.write(json.dumps(told) + "\n")


def _complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")
