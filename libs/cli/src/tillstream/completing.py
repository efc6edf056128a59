"""What the shell offers after a press of the tab key: names that are installed, and ids that are in the logs of the running stack."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import typer

from tillstream.local.directory import DataDirectory
from tillstream.local.run import port_names
from tillstream.local.services import installed_services
from tillstream.local.state import StackState

MOST = 50


def service_names(incomplete: str) -> list[str]:
    """Names of services; after a comma, the next one."""
    before, comma, name = incomplete.rpartition(",")
    return [f"{before}{comma}{service}" for service in installed_services() if service.startswith(name)]


def one_service(incomplete: str) -> list[str]:
    """Names of services, one at a time."""
    return [service for service in installed_services() if service.startswith(incomplete)]


def event_names(incomplete: str) -> list[str]:
    """Names of events, e.g. `OrderPlaced`."""
    from tillstream.events.choice import event_names

    return [name for name in event_names() if name.startswith(incomplete)]


def projections(ctx: typer.Context, incomplete: str) -> list[str]:
    """Read models of the service named in front of them."""
    return _column(ctx, "SELECT name FROM projection ORDER BY name", incomplete)


def dead_letters(ctx: typer.Context, incomplete: str) -> list[str]:
    """Numbers of the letters that the service named in front of them could not take."""
    return _column(ctx, "SELECT id::text FROM dead_letter WHERE settled_at IS NULL ORDER BY id", incomplete)


def webhooks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Receivers that the service named in front of them calls."""
    return _column(ctx, "SELECT name FROM webhook ORDER BY name", incomplete)


def log_names(incomplete: str) -> list[str]:
    names = [*installed_services(), "supervisor", "catchers", "kafka", "postgres", "valkey"]
    return [name for name in names if name.startswith(incomplete)]


def ports(incomplete: str) -> list[str]:
    return [f"{name}=" for name in port_names() if name.startswith(incomplete)]


def ids(service: str, kind: str) -> Callable[[typer.Context, str], list[str]]:
    """The ids of one kind of aggregate in a service's log, e.g. `ids("order", "store")`; none while nothing runs."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return [stream.removeprefix(f"{kind}-") for stream in _streams(ctx, [service], f"{kind}-{incomplete}")]

    return complete


def streams(ctx: typer.Context, incomplete: str) -> list[str]:
    """Streams of all services, e.g. `order-0199…`."""
    return _streams(ctx, installed_services(), incomplete)


def _column(ctx: typer.Context, query: LiteralString, incomplete: str) -> list[str]:
    with suppress(KeyError, psycopg.Error), _database(ctx, str(ctx.params.get("service"))) as database:
        return [found for (found,) in database.execute(query) if found.startswith(incomplete)][:MOST]
    return []


def _database(ctx: typer.Context, service: str) -> psycopg.Connection[Any]:
    data_dir = Path(ctx.params.get("data_dir") or ctx.find_root().params.get("data_dir") or ".till")
    return psycopg.connect(StackState.read(DataDirectory(data_dir)).databases[service], connect_timeout=1)


def _streams(ctx: typer.Context, services: list[str], prefix: str) -> list[str]:
    found: list[str] = []
    for service in services:
        with suppress(KeyError, psycopg.Error), _database(ctx, service) as database:
            rows = database.execute(
                "SELECT stream FROM log WHERE sequence = 1 AND starts_with(stream, %s) ORDER BY stream LIMIT %s",
                [prefix, MOST],
            )
            found += [str(stream) for (stream,) in rows]
    return found[:MOST]
