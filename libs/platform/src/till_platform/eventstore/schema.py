"""The tables of the plumbing in a service's own database, brought up to date step by step (`migrations/`)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from psycopg import Connection

MIGRATION_LOCK = 0x7111_57E4
_APPLIED = """
CREATE TABLE IF NOT EXISTS migration (
    number     integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    hash       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


class SchemaRefused(Exception):
    """The database must not be touched by this version: a newer one changed it, or a step was edited after it had been applied."""


@dataclass(frozen=True)
class Step:
    """One change of the tables, in a file `<number>_<name>.sql`. Never edited once released: what is wrong is put right by the next."""

    number: int
    name: str
    script: str

    @cached_property
    def hash(self) -> str:
        """A fingerprint of the script, by which a later edit is noticed."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def steps() -> list[Step]:
    """Return the steps this version knows, in order."""
    found = []
    for file in files(__package__).joinpath("migrations").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append(Step(int(number), name, file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda step: step.number)


def migrate(connection: Connection[Any], known: Sequence[Step] | None = None) -> None:
    """Apply the steps that the database has not had, each in a transaction; safe to run by many at once and again at any time.

    Raises `SchemaRefused`, and then has changed nothing.
    """
    known = steps() if known is None else known
    while _apply_next(connection, known):
        pass


def pending(connection: Connection[Any]) -> Sequence[Step]:
    """Return the steps of this version that the database has not had. What a newer version added to it is not looked at."""
    (exists,) = connection.execute("SELECT to_regclass('migration') IS NOT NULL").fetchone() or (False,)
    applied = {number for (number,) in connection.execute("SELECT number FROM migration")} if exists else set()
    return [step for step in steps() if step.number not in applied]


def _apply_next(connection: Connection[Any], known: Sequence[Step]) -> bool:
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = 0")  # somebody else's step takes as long as it takes
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        connection.execute("SET LOCAL lock_timeout TO DEFAULT")
        connection.execute(_APPLIED)
        applied = connection.execute("SELECT number, name, hash FROM migration ORDER BY number").fetchall()
        _check(applied, known)
        if len(applied) == len(known):
            return False
        step = known[len(applied)]
        connection.execute(step.script.encode())
        connection.execute(
            "INSERT INTO migration (number, name, hash) VALUES (%s, %s, %s)", [step.number, step.name, step.hash]
        )
        return True


def _check(applied: Sequence[tuple[int, str, str]], known: Sequence[Step]) -> None:
    if len(applied) > len(known):
        number, name, _ = applied[-1]
        raise SchemaRefused(
            f"the database is of a newer version: it has had step {number} ({name}), this version knows {len(known)} steps"
        )
    for (number, name, fingerprint), step in zip(applied, known, strict=False):
        if (number, fingerprint) != (step.number, step.hash):
            raise SchemaRefused(
                f"step {step.number} ({step.name}) is not what was applied to the database as {number} ({name}): "
                "a step is never edited, another one is added"
            )
