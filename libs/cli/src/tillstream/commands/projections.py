import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer import Argument, BadParameter, Option

from tillstream import completing, console
from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress

if TYPE_CHECKING:
    from tillstream.read_models import ReadModel

app = typer.Typer(no_args_is_help=True, help="The read models: what they hold, and building them anew.")


@app.command("list")
def list_(
    service: Annotated[
        list[str] | None, Argument(help="Services; all if none is named.", autocompletion=completing.one_service)
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the read models of the services, their versions, how many rows they hold, and since when they are as they are."""
    from tillstream.read_models import read_models

    attached = Attached(data_dir)
    _show([model for name in attached.chosen(service) for model in read_models(attached, name)], as_json=as_json)


@app.command()
def rebuild(
    service: Annotated[str, Argument(help="Whose.", autocompletion=completing.one_service)],
    name: Annotated[list[str] | None, Argument(help="Read models.", autocompletion=completing.projections)] = None,
    every: Annotated[bool, Option("--all", help="All read models of the service.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Build read models anew from the first event, beside the live ones, and then swap. The service goes on meanwhile.

    Exit code 4 where there is no such read model. Stopped by Ctrl-C, the live ones are as they were.
    """
    from tillstream.read_models import read_models

    if bool(name) == every:
        raise BadParameter("name the read models, or --all", param_hint="NAME")
    attached = Attached(data_dir)
    known = {model.name for model in read_models(attached, service)}
    for one in name or ():
        if one not in known:
            raise CommandFailed(
                f"{service} has no read model {one}", f"it has: {', '.join(sorted(known))}", Exit.NOT_FOUND
            )
    started = time.monotonic()
    with progress(as_json=as_json) as tell:
        attached.run(service, "rebuild", *(name or ()), on_stderr=lambda line: _tell(line, tell), expected=(0,))
    console.say(f"rebuilt in {time.monotonic() - started:.1f} s")
    _show([model for model in read_models(attached, service) if every or model.name in (name or ())], as_json=as_json)


def _tell(line: str, tell: Any) -> None:
    try:
        told = json.loads(line)
        tell("rebuild", told["read"], told["total"])
    except (ValueError, LookupError, TypeError):
        console.say(line.rstrip())


def _show(models: "list[ReadModel]", *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "projections": [
                    {
                        "service": model.service,
                        "name": model.name,
                        "version": model.version,
                        "rows": model.rows,
                        "built_at": model.built_at.isoformat(),
                    }
                    for model in models
                ]
            }
        )
        return
    table = Table("service", "read model", "version", "rows by table", "built at (UTC)", box=None)
    for model in models:
        rows = ", ".join(f"{name} {number:,}" for name, number in model.rows.items())
        table.add_row(model.service, model.name, str(model.version), rows, f"{model.built_at:%Y-%m-%d %H:%M:%S}")
    console.out.print(table)
