"""Putting a backup in the place of whatever is in a data directory. Topics are not in it: relays fill them again from the logs."""

import shutil
from pathlib import Path

from till_platform.local import LocalStack
from till_platform.local.postgres import Postgres, binary
from tillstream.backups.backing_up import run
from tillstream.backups.manifest import Dump, Manifest
from tillstream.exits import CommandFailed, Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.run import PREFERRED_PORTS, owned, stop_leftovers
from tillstream.local.services import installed_services
from tillstream.local.state import StackState
from tillstream.local.supervisor import Say
from tillstream.progress import Tell


def restore(directory: DataDirectory, folder: Path, *, say: Say, tell: Tell) -> Manifest:
    """Restore all services; nothing may run from the directory, and nothing does afterwards.

    Everything is restored beside what is there and takes its place at the end. If that end is cut off, `till up` refuses to start what
    would be half of one and half of the other, until the same command has run to its end. Raises CommandFailed.
    """
    manifest = Manifest.read(folder)
    if StackState.read(directory).supervisor:
        raise CommandFailed(f"something runs from {directory.path}", "till down", Exit.CONFLICT)
    if missing := sorted(set(manifest.services) - set(installed_services())):
        raise CommandFailed(f"the backup holds services that are not installed: {', '.join(missing)}")
    with owned(directory):
        stop_leftovers(directory, say)
        stack = LocalStack(directory.path, preferred_ports=PREFERRED_PORTS)
        postgres = stack.postgres_part
        postgres.start()
        try:
            for name, dump in manifest.services.items():
                _fill(postgres, name, folder / dump.file, dump, tell)
            directory.unfinished_restore.touch()
            shutil.rmtree(directory.path / "kafka", ignore_errors=True)
            for name in manifest.services:
                postgres.replace(f"till_{name}", by=f"till_{name}_restored")
            directory.unfinished_restore.unlink()
        finally:
            postgres.stop()
    return manifest


def _fill(postgres: Postgres, name: str, path: Path, dump: Dump, tell: Tell) -> None:
    postgres.database(f"till_{name}")  # its role, where there is none yet
    address = postgres.empty_database(f"till_{name}_restored", owner=f"till_{name}")
    command = [binary("pg_restore"), "--exit-on-error", "--single-transaction", "--no-owner", f"--dbname={address}"]
    tell(name, 0, dump.bytes)
    run([*command, str(path)], name, lambda: None)
    tell(name, dump.bytes, dump.bytes)
