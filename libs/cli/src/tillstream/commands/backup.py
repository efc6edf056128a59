from pathlib import Path
from typing import Annotated

from typer import Argument

from tillstream import console
from tillstream.attached import Attached
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress


def backup(
    folder: Annotated[Path, Argument(help="Where to; a folder that is new or empty.", file_okay=False)],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Back up every service at one point, while all of them go on working. The folder then holds personal data: keep it as such."""
    from tillstream.backups.backing_up import back_up

    with progress(as_json=as_json) as tell:
        manifest = back_up(Attached(data_dir), folder, tell)
    if as_json:
        console.print_json(manifest.model_dump(mode="json"))
        return
    console.print_facts([("made at", manifest.made_at), ("folder", folder)])
    console.print_facts(
        (name, f"{dump.log_position:,} events, {dump.bytes / 1e6:.1f} MB") for name, dump in manifest.services.items()
    )
