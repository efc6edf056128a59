import time
from typing import Annotated

from typer import Argument, Option

from tillstream import completing, console
from tillstream.exits import CommandFailed, Exit
from tillstream.local.directory import DataDirectory
from tillstream.local.logs import LogFollower
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir


def logs(
    service: Annotated[
        str,
        Argument(
            help="A service, or kafka, postgres, valkey, catchers, supervisor.", autocompletion=completing.log_names
        ),
    ],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    follow: Annotated[bool, Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, Option("-n", "--lines", min=0, help="How many of the last lines.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what a service has written, newest last. With --json one JSON object per line."""
    directory = DataDirectory(data_dir)
    if not (directory.logs / f"{service}.log").exists():
        known = ", ".join(sorted(file.stem for file in directory.logs.glob("*.log"))) or "nothing yet"
        raise CommandFailed(f"{service} has written nothing in {data_dir}", f"what has: {known}", Exit.NOT_FOUND)
    follower = LogFollower(directory.logs, [service], last_lines=lines)
    _print(follower, as_json=as_json)
    while follow:
        time.sleep(0.2)
        _print(follower, as_json=as_json)


def _print(follower: LogFollower, *, as_json: bool) -> None:
    for name, line in follower.new_lines():
        if as_json:
            console.print_json_line({"service": name, "line": line})
        else:
            console.out.print(line, markup=False, highlight=False)
