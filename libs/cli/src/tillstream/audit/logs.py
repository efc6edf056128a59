"""Which logs are meant, and how to reach them: those of the stack on this machine, or one anywhere by the address of its database."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.local.services import installed_services


def logs(services: Sequence[str] | None, database: str | None, data_dir: Path) -> dict[str, str]:
    """Return the addresses of databases by service."""
    if database is None:
        attached = Attached(data_dir)
        return {service: attached.database(service) for service in attached.chosen(services)}
    if not services or len(services) != 1:
        raise CommandFailed("whose log is in that database?", "--service NAME, one of them", Exit.USAGE)
    if services[0] not in installed_services():
        raise CommandFailed(
            f"there is no service {services[0]}", f"there are: {', '.join(installed_services())}", Exit.NOT_FOUND
        )
    return {services[0]: database}


def open_log(address: str) -> "closing[psycopg.Connection[Any]]":
    """Open a log to be read: as it is at one moment, whatever is recorded meanwhile."""
    connection = psycopg.connect(address)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return closing(connection)
