"""The real parts that integration tests run on: containers where an engine answers, else the embedded stack, or whatever is given."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from till_platform.local.stack import LocalStack

KINDS = ("auto", "testcontainers", "local", "external")


@dataclass(frozen=True)
class Infra:
    """Addresses of a Kafka, a PostgreSQL (as a user who may create databases) and a Valkey. `stack` is there for embedded parts only."""

    kind: str
    kafka: str
    postgres: str
    redis: str
    stack: LocalStack | None = field(default=None, compare=False)

    def database(self, name: str) -> str:
        """Create an empty database with a name of its own and return its address."""
        unique = f"{name}_{uuid4().hex[:8]}"
        with psycopg.connect(self.postgres, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unique)))
        return make_conninfo(self.postgres, dbname=unique)


@contextmanager
def provide(kind: str, directory: Path) -> Iterator[Infra]:
    """Start or find the parts, and stop what was started."""
    if kind == "auto":
        kind = "testcontainers" if _engine_answers() else "local"
    if kind == "external":
        yield Infra(kind, os.environ["TILL_TEST_KAFKA"], os.environ["TILL_TEST_PG"], os.environ["TILL_TEST_REDIS"])
    elif kind == "testcontainers":
        from till_platform.testing.containers import containers  # needs packages that only this kind does

        with containers() as (kafka, postgres, redis):
            yield Infra(kind, kafka, postgres, redis)
    else:
        with LocalStack(directory) as stack:
            yield Infra("local", stack.kafka, stack.postgres_admin_dsn, stack.redis, stack)


def _engine_answers() -> bool:
    client = shutil.which("docker")
    return client is not None and subprocess.run([client, "info"], check=False, capture_output=True).returncode == 0
