import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from typer import Argument, BadParameter, Option
from typer import Exit as Leave

from tillstream import completing, console
from tillstream.attached import Attached, ask
from tillstream.exits import Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir

app = typer.Typer(
    no_args_is_help=True, help="Webhooks: systems without Kafka that a service calls with its events, in order."
)

Service = Annotated[str, Argument(help="Who calls.", autocompletion=completing.one_service)]
Name = Annotated[str, Argument(help="Who is called.", autocompletion=completing.webhooks)]
_PATH = "/v1/webhooks"
_SECRET = "the secret, shown this once:"  # noqa: S105 - a heading


@app.command("list")
def list_(
    service: Annotated[
        list[str] | None, Argument(help="Services; all if none is named.", autocompletion=completing.one_service)
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show who is called, and how far each has got in the log."""
    attached = Attached(data_dir)
    found = [{"service": name, **one} for name in attached.chosen(service) for one in _every(attached, name)]
    if as_json:
        console.print_json({"webhooks": found})
        return
    if not found:
        console.say("nobody is called")
        return
    table = Table("service", "name", "url", "position", "state", box=None)
    for one in found:
        table.add_row(one["service"], one["name"], one["url"], f"{one['position']:,}", _state(one))
    console.out.print(table)


@app.command()
def show(service: Service, name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Show one receiver and what came of the last calls, the newest first. Exit code 4 where nobody of that name is called."""
    _tell(service, _ask(data_dir, service, "GET", name), as_json=as_json)


@app.command()
def put(
    service: Service,
    name: Annotated[str, Argument(help="What it is to be called: small letters, digits and hyphens.")],
    url: Annotated[str, Argument(help="Where to call.")],
    types: Annotated[
        list[str] | None,
        Option("--type", help="Only these, e.g. tillstream.order.PurchaseRecorded.v1; repeat for more."),
    ] = None,
    after: Annotated[
        int | None,
        Option(min=0, help="When it is new: begin after this position of the log; 0 is everything there ever was."),
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Add a receiver, and print the secret that its calls are signed with; or change where and with what one is called."""
    asked = {"url": url, "types": types or None, "after": after}
    found = _ask(data_dir, service, "PUT", name, json=asked)
    _tell(service, found, as_json=as_json)


@app.command()
def disable(
    service: Service,
    name: Name,
    why: Annotated[str, Option("--why", help="The reason, for whoever finds it so.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Call it no more until it is enabled; what is recorded meanwhile waits in the log."""
    _tell(service, _ask(data_dir, service, "POST", name, "disable", json={"why": why}), as_json=as_json)


@app.command()
def enable(service: Service, name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Go on where it was, at once."""
    _tell(service, _ask(data_dir, service, "POST", name, "enable"), as_json=as_json)


@app.command()
def replay(
    service: Service,
    name: Name,
    after: Annotated[int, Option(min=0, help="The log position after which everything is sent again.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Send again everything after a log position, in order, and go on from there. To skip what is refused for good, name its position."""
    _tell(service, _ask(data_dir, service, "POST", name, "replay", json={"after": after}), as_json=as_json)


@app.command()
def rotate(service: Service, name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Print a new secret, this once. For a day calls are signed with both."""
    found = _ask(data_dir, service, "POST", name, "rotate")
    if as_json:
        console.print_json(found)
    else:
        console.say(_SECRET)
        console.out.print(found["secret"], markup=False, highlight=False)


@app.command()
def delete(
    service: Service,
    name: Name,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Forget a receiver: its place in the log, its secret, and what came of its calls."""
    if not yes:
        if not sys.stdin.isatty():
            raise BadParameter("nobody is here to be asked: add --yes", param_hint="--yes")
        if not typer.confirm(f"Forget {name} for ever?", err=True):
            raise Leave(Exit.FAILURE)
    with Attached(data_dir).client(service) as client:
        ask(client, "DELETE", f"{_PATH}/{name}")
    if as_json:
        console.print_json({"service": service, "deleted": name})
    else:
        console.out.print(f"{name} is forgotten", markup=False, highlight=False)


def _every(attached: Attached, service: str) -> list[dict[str, Any]]:
    with attached.client(service) as client:
        found: list[dict[str, Any]] = ask(client, "GET", _PATH)["items"]
    return found


def _ask(data_dir: Path, service: str, method: str, *path: str, **request: Any) -> dict[str, Any]:
    with Attached(data_dir).client(service) as client:
        return ask(client, method, "/".join([_PATH, *path]), **request)


def _state(webhook: dict[str, Any]) -> str:
    if webhook["disabled_at"]:
        return f"disabled: {webhook['disabled_why']}"
    return f"failing since {webhook['failing_since'][:19]}" if webhook["failing_since"] else "called"


def _tell(service: str, webhook: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.print_json({"service": service, **webhook})
        return
    facts = {**webhook, "types": ", ".join(webhook["types"] or ()) or "every public event", "state": _state(webhook)}
    secret, attempts = facts.pop("secret", None), facts.pop("last_attempts", ())
    console.print_facts((fact, value) for fact, value in facts.items() if value is not None)
    if attempts:
        table = Table("at", "position", "attempt", "seconds", "answer", box=None)
        for one in attempts:
            row = (one["at"][:19], f"{one['position']:,}", one["attempt"], f"{one['seconds']:.3f}")
            table.add_row(*map(str, row), str(one["status"] or one["error"]))
        console.out.print(table)
    if secret:
        console.say(_SECRET)
        console.out.print(secret, markup=False, highlight=False)
