"""The read models of a service as they are in its database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from tillstream.attached import Attached

_MODELS = "SELECT name, version, built_at FROM projection ORDER BY name"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"


@dataclass(frozen=True)
class ReadModel:
    """A read model: its version, since when it is as it is, and how many rows each of its tables holds."""

    service: str
    name: str
    version: int
    built_at: datetime
    rows: dict[str, int]


def read_models(attached: Attached, service: str) -> list[ReadModel]:
    """Return the read models of a service, by name."""
    with psycopg.connect(attached.database(service), autocommit=True) as connection:
        return [
            ReadModel(service, name, version, built_at.astimezone(UTC), _rows(connection, name))
            for name, version, built_at in connection.execute(_MODELS).fetchall()
        ]


def _rows(connection: psycopg.Connection[Any], schema: str) -> dict[str, int]:
    counts = {}
    for (table,) in connection.execute(_TABLES, [schema]).fetchall():
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        (counts[table],) = connection.execute(query).fetchone() or (0,)
    return counts
