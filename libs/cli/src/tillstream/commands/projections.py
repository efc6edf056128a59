import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from typer import Argument, BadParameter, Option
from typer import Exit as Leave

from tillstream import completing, console
from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress, relaying

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
    """Show the read models of the services, their versions, how many rows they hold, and since when they are as they are.

    With those that were kept when they were rebuilt, until `till projections drop`.
    """
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

    Exit code 4 where there is no such read model. Stopped by Ctrl-C, the live ones are as they were, and the next rebuild of the same ones
    goes on where this one was. What they were before the swap is kept until `till projections drop`.
    """
    from tillstream.read_models import read_models

    if bool(name) == every:
        raise BadParameter("name the read models, or --all", param_hint="NAME")
    attached = Attached(data_dir)
    names = name or ()
    _check_known(attached, service, names)
    started = time.monotonic()
    with progress(as_json=as_json) as tell:
        attached.run(service, "rebuild", *names, on_stderr=relaying("rebuild", tell), expected=(0,))
    console.say(f"rebuilt in {time.monotonic() - started:.1f} s; what was there before is kept until it is dropped")
    _show([model for model in read_models(attached, service) if every or model.name in names], as_json=as_json)


@app.command()
def compare(
    service: Annotated[str, Argument(help="Whose.", autocompletion=completing.one_service)],
    name: Annotated[
        list[str] | None, Argument(help="Read models; all if none is named.", autocompletion=completing.projections)
    ] = None,
    unmask: Annotated[bool, Option("--unmask", help="Show names, addresses and phones, too.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Build read models anew beside the live ones and compare them row by row. Exit code 1 with the first row that differs, if one does.

    With it come the events that speak of that row. The live ones stay as they are.
    """
    from tillstream.verification.differing import shown, told
    from tillstream.verification.rebuilding import Rebuilds

    attached = Attached(data_dir)
    _check_known(attached, service, name or ())
    with progress(as_json=as_json) as tell:
        found = Rebuilds().compare(
            service,
            attached.settings(service),
            lambda read, total: tell("compare", read, total),
            console.say,
            names=name or (),
        )
    for one in found:
        one["difference"] = one["difference"] and shown(one["difference"], unmask=unmask)
    different = [one for one in found if one["digest"] != one["rebuilt_digest"]]
    if as_json:
        console.print_json({"equal": not different, "projections": found})
    for one in () if as_json else found:
        sentence = (
            told(one) if one in different else f"read model {one['name']} of {service} is what its topics make of it"
        )
        console.out.print(sentence, markup=False, highlight=False)
    if different:
        raise Leave(Exit.FAILURE)


@app.command()
def drop(
    service: Annotated[str, Argument(help="Whose.", autocompletion=completing.one_service)],
    name: Annotated[list[str] | None, Argument(help="Read models.", autocompletion=completing.projections)] = None,
    every: Annotated[bool, Option("--all", help="All that the service keeps.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Drop what read models were before they were rebuilt last. The live ones stay. Exit code 4 where nothing is kept."""
    from tillstream.read_models import drop_kept

    if bool(name) == every:
        raise BadParameter("name the read models, or --all", param_hint="NAME")
    attached = Attached(data_dir)
    _check_known(attached, service, name or ())
    dropped = drop_kept(attached, service, name)
    if name and (missing := sorted(set(name) - set(dropped))):
        raise CommandFailed(f"nothing is kept of {', '.join(missing)}", "till projections list", Exit.NOT_FOUND)
    if as_json:
        console.print_json({"dropped": dropped})
    else:
        console.out.print(f"dropped: {', '.join(dropped) or 'nothing was kept'}", highlight=False)


def _check_known(attached: Attached, service: str, names: Sequence[str]) -> None:
    from tillstream.read_models import read_models

    known = {model.name for model in read_models(attached, service)}
    for one in names:
        if one not in known:
            raise CommandFailed(
                f"{service} has no read model {one}", f"it has: {', '.join(sorted(known))}", Exit.NOT_FOUND
            )


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
                        "kept_since": model.kept_since and model.kept_since.isoformat(),
                        "rebuild_begun_at": model.rebuild_begun_at and model.rebuild_begun_at.isoformat(),
                    }
                    for model in models
                ]
            }
        )
        return
    table = Table("service", "read model", "version", "rows by table", "built at (UTC)", "", box=None)
    for model in models:
        rows = ", ".join(f"{name} {number:,}" for name, number in model.rows.items())
        built_at = f"{model.built_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(model.service, model.name, str(model.version), rows, built_at, _remark(model))
    console.out.print(table)


def _remark(model: "ReadModel") -> str:
    if model.kept_since:
        return f"old, kept since {model.kept_since:%Y-%m-%d %H:%M:%S}"
    return f"being rebuilt since {model.rebuild_begun_at:%Y-%m-%d %H:%M:%S}" if model.rebuild_begun_at else ""
