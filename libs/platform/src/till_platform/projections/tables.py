"""Creating, naming, counting and swapping the tables of projections: each lives in a schema of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql

from till_platform.projections.projection import Projection

REBUILT = "__rebuilt"
COMPARED = "__compared"
KEPT = "__old"
_VERSIONS = "SELECT name, version FROM projection WHERE name = ANY(%s)"
_HELD = _VERSIONS + " ORDER BY name FOR SHARE"
_HALTED = _VERSIONS + " ORDER BY name FOR UPDATE"
_KEEP = """
INSERT INTO kept_projection (name, version, built_at) SELECT name, version, built_at FROM projection WHERE name = %s
"""


def create(connection: Connection[Any], projection: Projection, schema: str) -> None:
    """Create the projection's empty tables in `schema`, which must not exist."""
    with connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        with inside(connection, schema):
            for table in projection.tables:
                for statement in table.ddl():
                    connection.execute(statement)


def drop(connection: Connection[Any], schema: str) -> None:
    """Drop a schema and all that is in it."""
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


@contextmanager
def inside(connection: Connection[Any], schema: str) -> Iterator[None]:
    """Let unqualified names mean the tables in `schema`, in the open transaction. Other read models are out of sight."""
    connection.execute(sql.SQL("SET LOCAL search_path = {}, extensions").format(sql.Identifier(schema)))
    yield
    connection.execute("SET LOCAL search_path = public, extensions")


def halt(connection: Connection[Any], projections: Sequence[Projection]) -> None:
    """Wait until nobody is writing to these, and let nobody begin before the open transaction ends."""
    connection.execute(_HALTED, [[projection.name for projection in projections]])


def swap(connection: Connection[Any], projection: Projection) -> None:
    """Put the rebuilt tables in the place of the live ones, in the connection's transaction. The old ones are kept; older ones go."""
    name, rebuilt, kept = projection.name, projection.name + REBUILT, projection.name + KEPT
    drop_kept(connection, name)
    rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
    connection.execute(rename.format(sql.Identifier(name), sql.Identifier(kept)))
    connection.execute(rename.format(sql.Identifier(rebuilt), sql.Identifier(name)))
    connection.execute(_KEEP, [name])
    connection.execute(
        "INSERT INTO projection (name, version) VALUES (%s, %s)"
        " ON CONFLICT (name) DO UPDATE SET version = excluded.version, built_at = clock_timestamp()",
        [name, projection.version],
    )


def drop_kept(connection: Connection[Any], name: str) -> bool:
    """Drop the version of a projection that was kept when it was last rebuilt; return whether there was one."""
    with connection.transaction():
        drop(connection, name + KEPT)
        return connection.execute("DELETE FROM kept_projection WHERE name = %s", [name]).rowcount == 1


def digest(connection: Connection[Any], projection: Projection, schema: str) -> str:
    """Return a fingerprint of all rows in `schema`: equal for equal rows, whatever their order on disk.

    By table, the number of rows and the sums of two 64-bit hashes of each row's text, which PostgreSQL adds up without sorting.
    """
    parts = []
    with connection.transaction():
        connection.execute("SET LOCAL timezone = 'UTC'")
        connection.execute("SET LOCAL datestyle = 'ISO'")
        connection.execute("SET LOCAL extra_float_digits = 1")
        for table in projection.tables:
            query = sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(t::text, 1)), 0), coalesce(sum(hashtextextended(t::text, 2)), 0)"
                " FROM {} AS t"
            ).format(sql.Identifier(schema, table.name))
            rows, first, second = connection.execute(query).fetchone() or (0, 0, 0)
            parts.append(f"{table.name}:{rows}:{int(first) % 2**64:016x}{int(second) % 2**64:016x}")
    return " ".join(parts)


def prepare(connection: Connection[Any], projections: Sequence[Projection], consumer: str) -> list[Projection]:
    """Create the tables of projections that have none; return those that must be rebuilt.

    These are the projections that exist in another version, and new ones of a consumer that has read on without them.
    """
    stale: list[Projection] = []
    with connection.transaction():
        known = dict(connection.execute("SELECT name, version FROM projection").fetchall())
        read_on = connection.execute(
            "SELECT 1 FROM checkpoint WHERE consumer = %s AND next_offset > 0 LIMIT 1", [consumer]
        ).fetchone()
        for projection in projections:
            if projection.name not in known:
                if read_on:
                    stale.append(projection)
                create(connection, projection, projection.name)
                connection.execute(
                    "INSERT INTO projection (name, version) VALUES (%s, %s)", [projection.name, projection.version]
                )
            elif known[projection.name] != projection.version:
                stale.append(projection)
    return stale


def of_other_versions(
    connection: Connection[Any], projections: Sequence[Projection], *, held: bool = False
) -> dict[str, int]:
    """Return the read models whose tables are of another version than this code, with that version.

    With `held` they stay where they are for the rest of the transaction: what is written in it would else go to tables that `swap` has put
    away meanwhile, and `halt` waits for it.
    """
    wanted = {projection.name: projection.version for projection in projections}
    found = connection.execute(_HELD if held else _VERSIONS, [list(wanted)])
    return {name: version for name, version in found if version != wanted[name]}


def not_ready(connection: Connection[Any], projections: Sequence[Projection]) -> list[str]:
    """Return the read models that have no tables yet, or tables of another version."""
    others = of_other_versions(connection, projections)
    known = {name for (name,) in connection.execute("SELECT name FROM projection")}
    return [part.name for part in projections if part.name in others or part.name not in known]
