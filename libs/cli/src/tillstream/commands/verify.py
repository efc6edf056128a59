from typing import Annotated, Any

from rich.table import Table
from typer import Argument, Option
from typer import Exit as Leave

from tillstream import completing, console
from tillstream.attached import Attached
from tillstream.exits import Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress


def verify(
    service: Annotated[
        list[str] | None, Argument(help="Services; all if none is named.", autocompletion=completing.one_service)
    ] = None,
    patience: Annotated[
        float, Option(help="How many seconds a consumer may stand still before it is said to be behind.")
    ] = 60,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Check that nothing was lost or changed. Exit code 1 with the first difference, if there is one.

    Each log has no gap and is in order; its topic is equal to it, byte for byte; every consumer has taken everything; and every read model
    is equal to what its topics make of it from the very first event.
    """
    from tillstream.verification import whole

    attached = Attached(data_dir)
    with progress(as_json=as_json) as tell:
        report = whole.verify(attached, tell, service, patience_seconds=patience)
    if as_json:
        console.print_json(_document(report))
    else:
        _print(report)
    if not report.verified:
        raise Leave(Exit.FAILURE)


def _document(report: Any) -> dict[str, Any]:
    services = {
        found["service"]: {name: value for name, value in found.items() if name != "service"} for found in report.logs
    }
    return {
        "verified": report.verified,
        "services": services,
        "projections": report.projections,
        "differences": report.differences,
    }


def _print(report: Any) -> None:
    logs = Table("service", "events", "log", "on topic", "repeats", "topic", "dead letters", box=None)
    for found in report.logs:
        numbers = (f"{found[name]:,}" for name in ("events", "published", "repeats"))
        events, published, repeats = numbers
        letters = str(found["dead_letters"] or "")
        logs.add_row(found["service"], events, _mark(found["log"]), published, repeats, _mark(found["topic"]), letters)
    console.out.print(logs)
    models = Table("service", "read model", "rows by table", "rebuilt", box=None)
    for one in report.projections:
        rows = ", ".join(part.rpartition(":")[0].replace(":", " ") for part in one["digest"].split())
        models.add_row(one["service"], one["name"], rows, _mark(one["digest"] != one["rebuilt_digest"]))
    console.out.print(models)
    if report.verified:
        console.out.print("Everything agrees.", style="bold green")
        return
    console.out.print("NOT verified.", style="bold red")
    for difference in report.differences:
        console.out.print(f"  {difference}", markup=False, highlight=False)


def _mark(problem: object) -> str:
    return "[bold red]✗[/]" if problem else "[green]✓[/]"
