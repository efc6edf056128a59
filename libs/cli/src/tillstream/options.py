from pathlib import Path
from typing import Annotated

import typer
from typer import Option

DEFAULT_DATA_DIR = Path(".till")


def _as_given_before_the_command(ctx: typer.Context, path: Path) -> Path:
    """`till --data-dir X status`, and TILL_DATA_DIR, hold for the command unless it names a directory of its own."""
    source = ctx.get_parameter_source("data_dir")
    given_here = source is not None and source.name == "COMMANDLINE"
    return path if given_here else Path(ctx.find_root().params.get("data_dir", path))


DataDir = Annotated[
    Path,
    Option(
        "--data-dir",
        file_okay=False,
        callback=_as_given_before_the_command,
        help="Where everything of this stack is kept.",
        show_default=str(DEFAULT_DATA_DIR),
    ),
]
AsJson = Annotated[bool, Option("--json", help="One JSON document on stdout.")]
AsJsonLines = Annotated[bool, Option("--json", help="One JSON object per line on stdout.")]
