from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from tillstream import console
from tillstream.exits import CommandFailed, Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.doors import Doors
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress


def restore(
    folder: Annotated[Path, Argument(help="What `till backup` made.", file_okay=False, exists=True)],
    yes: Annotated[bool, Option("--yes", help="Drop what the data directory holds now.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of everything in the data directory. Nothing may run; `till up` then fills the topics from the logs."""
    from tillstream.backups import restoring

    directory = DataDirectory(data_dir)
    if (data_dir / "postgres").exists() and not yes:
        detail = f"{data_dir} holds data, which a restore drops"
        raise CommandFailed(detail, "add --yes, or name another folder with --data-dir", Exit.CONFLICT)
    with progress(as_json=as_json) as tell:
        manifest = restoring.restore(directory, folder, say=console.say, tell=tell)
    if as_json:
        console.print_json(manifest.model_dump(mode="json"))
        return
    console.print_facts([("as of", manifest.made_at), ("services", ", ".join(manifest.services))])
    partitions = "" if manifest.partitions == 6 else f"TILL_PARTITIONS={manifest.partitions} "
    closed = " --secure" if manifest.secure and not Doors(directory).closed else ""
    console.hint(f"{partitions}till up -d{closed}; then till verify")
