from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer import BadParameter, Option
from typer import Exit as Leave

from tillstream import completing, console
from tillstream.exits import Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from till_platform.audit.keys import PublicKey
    from tillstream.audit.check import Verdict
    from tillstream.progress import Tell

app = typer.Typer(no_args_is_help=True, help="Prove that a log is what was recorded, with nothing but a public key.")

Service = Annotated[
    list[str] | None,
    Option("--service", help="Services; repeat for more. All if none is named.", autocompletion=completing.one_service),
]
Database = Annotated[
    str | None, Option("--database", help="The address of the database, of a log that is not of this stack.")
]
PublicKeys = Annotated[
    list[Path] | None,
    Option("--public-key", exists=True, dir_okay=False, help="A public key in PEM; repeat for more."),
]


@app.command()
def verify(
    service: Service = None,
    public_key: PublicKeys = None,
    export: Annotated[
        Path | None, Option("--export", exists=True, dir_okay=False, help="Check a file instead of the logs.")
    ] = None,
    topic: Annotated[bool, Option("--topic", help="Check the topics instead of the logs.")] = False,
    database: Database = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Check every event against the signatures in the log. Exit code 1 with the first that was altered, is missing, added or reordered.

    Without --public-key the key of the stack on this machine is taken. What was recorded after the last signature is counted as unsigned.
    """
    from tillstream.audit.keys import keys_given

    if export and (topic or database):
        raise BadParameter("one of a file, a database and the topics", param_hint="--export")
    keys = keys_given(public_key, data_dir)
    with progress(as_json=as_json) as tell:
        if export:
            verdicts = _of_export(export, keys, service, tell)
        elif topic:
            verdicts = _of_topics(keys, service, data_dir, tell)
        else:
            verdicts = _of_logs(keys, service, database, data_dir, tell)
    sound = all(verdict.problem is None and verdict.heads for verdict in verdicts) and bool(verdicts)
    if as_json:
        console.print_json({"sound": sound, "logs": [_document(verdict) for verdict in verdicts]})
    else:
        _print(verdicts, sound=sound)
    if not sound:
        raise Leave(Exit.FAILURE)


@app.command()
def keys(service: Service = None, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Print the public key of this stack, and which keys its logs were signed with. Keep it where no operator can change it."""
    from tillstream.audit.keys import keys_given
    from tillstream.audit.used import used_keys

    (own,) = keys_given(None, data_dir)
    used = used_keys(service, data_dir)
    if as_json:
        console.print_json({"key": own.id, "public_key": own.pem, "used": used})
        return
    console.out.print(own.pem.strip(), markup=False, highlight=False)
    table = Table("service", "key", "signs from position", "to", "announces", box=None)
    for row in used:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value or "" for value in row.values()))
    console.err.print(table)


def _of_export(path: Path, keys: "Sequence[PublicKey]", service: list[str] | None, tell: "Tell") -> "list[Verdict]":
    from tillstream.audit.places import check_export

    return check_export(path, keys, service, partial(tell, "events"))


def _of_topics(keys: "Sequence[PublicKey]", service: list[str] | None, data_dir: Path, tell: "Tell") -> "list[Verdict]":
    from tillstream.attached import Attached
    from tillstream.audit.places import check_topic

    attached = Attached(data_dir)
    return [
        check_topic(
            attached.kafka,
            attached.topic(name),
            name,
            keys,
            partial(tell, name),
        )
        for name in attached.chosen(service)
    ]


def _of_logs(
    keys: "Sequence[PublicKey]", service: list[str] | None, database: str | None, data_dir: Path, tell: "Tell"
) -> "list[Verdict]":
    from tillstream.audit.logs import logs, open_log
    from tillstream.audit.places import check_log

    verdicts = []
    for name, address in logs(service, database, data_dir).items():
        with open_log(address) as connection:
            verdicts.append(check_log(connection, name, keys, partial(tell, name)))
    return verdicts


def _document(verdict: "Verdict") -> dict[str, Any]:
    problem = asdict(verdict.problem) if verdict.problem else None
    if problem:
        del problem["rank"]
    return {**asdict(verdict), "problem": problem}


def _print(verdicts: "Sequence[Verdict]", *, sound: bool) -> None:
    table = Table("log", "from", "events", "heads", "signed up to", "unsigned", "", box=None)
    for verdict in verdicts:
        mark = "[bold red]✗[/]" if verdict.problem or not verdict.heads else "[green]✓[/]"
        numbers = (verdict.first, verdict.events, verdict.heads, verdict.signed_to, verdict.unsigned)
        table.add_row(verdict.source, *(f"{number:,}" for number in numbers), mark)
    console.out.print(table)
    for verdict in verdicts:
        if verdict.problem:
            console.out.print(f"{verdict.source}: {verdict.problem}", style="bold red", markup=False, highlight=False)
        elif not verdict.heads:
            console.out.print(f"{verdict.source}: nothing is signed", style="bold red", markup=False, highlight=False)
    if sound:
        console.out.print("Nothing was altered, is missing, was added or reordered.", style="bold green")
