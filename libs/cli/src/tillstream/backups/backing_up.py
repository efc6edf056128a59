"""Writing every service's database into a folder, at one point."""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from till_platform.local.postgres import binary
from tillstream.attached import Attached
from tillstream.backups.cut import Snapshot, one_point
from tillstream.backups.manifest import Dump, Manifest, fingerprint
from tillstream.exits import CommandFailed, Exit
from tillstream.progress import Tell

AT_ONCE = 2
_POLL_SECONDS = 0.2


def back_up(attached: Attached, folder: Path, tell: Tell) -> Manifest:
    """Back up all services while they go on working; raise CommandFailed for a folder that holds something, or when a dump fails."""
    if folder.exists() and any(folder.iterdir()):
        raise CommandFailed(f"{folder} is not empty", "name a folder that is new", Exit.CONFLICT)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # it holds everything that is known of customers
    databases = {name: attached.database(name) for name in attached.services}
    with one_point(databases) as snapshots, ThreadPoolExecutor(AT_ONCE) as threads:
        made_at = datetime.now(UTC)
        dumps = threads.map(
            lambda name: _dump(databases[name], snapshots[name], folder / f"{name}.dump", tell), databases
        )
        services = dict(zip(databases, dumps, strict=True))
    state = attached.state
    manifest = Manifest(
        made_at=made_at,
        version=version("tillstream"),
        partitions=state.partitions,
        secure=state.secure,
        services=services,
    )
    manifest.write(folder)
    return manifest


def _dump(address: str, snapshot: Snapshot, path: Path, tell: Tell) -> Dump:
    command = [
        binary("pg_dump"),
        "--format=custom",
        f"--snapshot={snapshot.id}",
        f"--file={path}",
        f"--dbname={address}",
    ]
    run(command, path.stem, lambda: tell(path.stem, path.stat().st_size if path.exists() else 0, None))
    size = path.stat().st_size
    tell(path.stem, size, size)
    return Dump(
        file=path.name,
        bytes=size,
        sha256=fingerprint(path),
        log_position=snapshot.log_position,
        steps=snapshot.steps,
    )


def run(command: Sequence[str], what: str, look: Callable[[], None]) -> None:
    """Run a program of PostgreSQL to its end and look at what it does now and then; raise CommandFailed with its last words."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - built here
        try:
            while process.poll() is None:
                look()
                time.sleep(_POLL_SECONDS)
        except BaseException:  # interrupted: what runs for us must not outlive us
            process.terminate()
            raise
        assert process.stderr is not None
        said = process.stderr.read().strip().splitlines()
    if process.returncode != 0:
        raise CommandFailed(f"{what}: {Path(command[0]).name} failed", said[-1] if said else "")
