"""Creating the tables of the plumbing (schema.sql) in a service's own database."""

from importlib.resources import files
from typing import Any

from psycopg import Connection

MIGRATION_LOCK = 0x7111_57E4


def migrate(connection: Connection[Any]) -> None:
    """Create what is missing; safe to run by many at once and again at any time."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        connection.execute(files(__package__).joinpath("schema.sql").read_bytes())
