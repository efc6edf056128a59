from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from tillstream.local.run import port_names
from tillstream.local.services import installed_services

DEFAULT_DATA_DIR = Path(".till")


def _as_given_before_the_command(ctx: typer.Context, path: Path) -> Path:
    """`till --data-dir X status`, and TILL_DATA_DIR, hold for the command unless it names a directory of its own."""
    source = ctx.get_parameter_source("data_dir")
    given_here = source is not None and source.name == "COMMANDLINE"
    return path if given_here else Path(ctx.find_root().params.get("data_dir", path))


def service_names(incomplete: str) -> list[str]:
    return [name for name in installed_services() if name.startswith(incomplete)]


def log_names(incomplete: str) -> list[str]:
    names = [*installed_services(), "supervisor", "catchers", "kafka", "postgres", "valkey"]
    return [name for name in names if name.startswith(incomplete)]


def ports_to_complete(incomplete: str) -> list[str]:
    return [f"{name}=" for name in port_names() if name.startswith(incomplete)]


DataDir = Annotated[
    Path,
    Option(
        "--data-dir",
        callback=_as_given_before_the_command,
        help="Where everything of this stack is kept.",
        show_default=str(DEFAULT_DATA_DIR),
    ),
]
AsJson = Annotated[bool, Option("--json", help="One JSON document on stdout.")]
