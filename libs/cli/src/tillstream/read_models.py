"""The read models of a service as they are in its database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from till_platform.projections import shadow, tables
from tillstream.attached import Attached

_MODELS = """
SELECT name, version, built_at, NULL FROM projection UNION ALL SELECT name, version, built_at, kept_at FROM kept_projection
ORDER BY 1, 4 NULLS FIRST
"""
_KEPT = "SELECT name FROM kept_projection ORDER BY name"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"


@dataclass(frozen=True)
class ReadModel:
    """A read model: its version, since when it is as it is, and how many rows each of its tables holds.

    One that was replaced by a rebuild says since when it is kept; one of which a rebuild is under way, or was interrupted, when that began.
    """

    service: str
    name: str
    version: int
    built_at: datetime
    rows: dict[str, int]
    kept_since: datetime | None = None
    rebuild_begun_at: datetime | None = None


def read_models(attached: Attached, service: str) -> list[ReadModel]:
    """Return the read models of a service, by name, each followed by what it was before, if that is kept."""
    with psycopg.connect(attached.database(service), autocommit=True) as connection:
        return [
            ReadModel(
                service,
                name,
                version,
                built_at.astimezone(UTC),
                _rows(connection, name + tables.KEPT if kept_at else name),
                kept_at and kept_at.astimezone(UTC),
                None if kept_at else _begun_at(connection, name),
            )
            for name, version, built_at, kept_at in connection.execute(_MODELS).fetchall()
        ]


def drop_kept(attached: Attached, service: str, names: Sequence[str] | None) -> list[str]:
    """Drop what read models of a service were before they were rebuilt, of all or of those named; return the names of those that were."""
    with psycopg.connect(attached.database(service), autocommit=True) as connection:
        kept = [name for (name,) in connection.execute(_KEPT).fetchall()]
        return [name for name in kept if (not names or name in names) and tables.drop_kept(connection, name)]


def _begun_at(connection: psycopg.Connection[Any], name: str) -> datetime | None:
    table = sql.Identifier(name + tables.REBUILT, shadow.RUN)
    if connection.execute("SELECT to_regclass(%s)", [table.as_string()]).fetchone() == (None,):
        return None
    (found,) = connection.execute(sql.SQL("SELECT started_at FROM {}").format(table)).fetchone() or (None,)
    return found.astimezone(UTC) if found else None


def _rows(connection: psycopg.Connection[Any], schema: str) -> dict[str, int]:
    counts = {}
    for (table,) in connection.execute(_TABLES, [schema]).fetchall():
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        (counts[table],) = connection.execute(query).fetchone() or (0,)
    return counts
