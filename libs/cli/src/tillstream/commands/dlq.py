import base64
import sys
from typing import Annotated, Any

import typer
from rich.json import JSON
from rich.table import Table
from typer import Argument, BadParameter, Option
from typer import Exit as Leave

from tillstream import completing, console, letters
from tillstream.attached import Attached
from tillstream.exits import CommandFailed, Exit
from tillstream.hexdump import hexdump, readable
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir

app = typer.Typer(
    no_args_is_help=True, help="Dead letters: records that a consumer could not take, and what waits behind them."
)

Service = Annotated[str, Argument(help="Whose consumer.", autocompletion=completing.one_service)]
Number = Annotated[int, Argument(help="The letter's number.", autocompletion=completing.dead_letters)]
MOST_SHOWN = 50


@app.command("list")
def list_(
    service: Annotated[
        list[str] | None, Argument(help="Services; all if none is named.", autocompletion=completing.one_service)
    ] = None,
    reason: Annotated[str | None, Option(help="Only those buried for this reason, e.g. unreadable-event.")] = None,
    settled: Annotated[bool, Option("--settled", help="Also those that were retried or discarded.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters, by reason and then one by one, oldest first."""
    attached = Attached(data_dir)
    found = letters.letters_of(attached, attached.chosen(service), reason=reason, settled=settled)
    groups = letters.by_reason(found)
    if as_json:
        console.print_json({"reasons": groups, "letters": found})
        return
    if not found:
        console.say("no dead letters")
        return
    reasons = Table("service", "reason", "type", "letters", box=None)
    for group in groups:
        reasons.add_row(group["service"], group["reason"], group["type"] or "", str(group["letters"]))
    console.out.print(reasons)
    console.out.print()
    for one in found[:MOST_SHOWN]:
        console.out.print(_head(one), markup=False, highlight=False)
        console.out.print(f"      {one['reason']}: {one['detail']}", style="dim", markup=False, highlight=False)
    if len(found) > MOST_SHOWN:
        console.say(f"and {len(found) - MOST_SHOWN} more: --json shows all")


def _head(letter: dict[str, Any]) -> str:
    place = f"{letter['topic']}/{letter['partition']}@{letter['offset']}"
    facts = (
        letter["service"],
        f"{letter['id']:>4}",
        letter["buried_at"][:19],
        place,
        letter["type"],
        letter["settled_how"],
    )
    return "  ".join(fact for fact in facts if fact)


@app.command()
def show(
    service: Service,
    number: Number,
    as_bytes: Annotated[bool, Option("--bytes", help="Every byte in hexadecimal, also where it is JSON.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a letter whole: why, its headers, and its original bytes, which may tell who somebody is. Exit code 4 where there is none."""
    letter = letters.whole(Attached(data_dir), service, number)
    if as_json:
        console.print_json(letter)
        return
    shown = {name: value for name, value in letter.items() if name not in {"headers", "value"} and value is not None}
    console.print_facts({**shown, "key": _text(letter["key"]), **letter["headers"]}.items())
    _print_bytes(base64.b64decode(letter["value"] or ""), as_bytes=as_bytes)


@app.command()
def retry(
    service: Service,
    number: Annotated[int | None, Argument(help="The letter's number.", autocompletion=completing.dead_letters)] = None,
    every: Annotated[bool, Option("--all", help="All letters that others wait behind, or nobody does.")] = False,
    reason: Annotated[str | None, Option(help="With --all: only those buried for this reason.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Take a letter again, and in order all that waits behind it: after the code has learned to read it.

    Either all of it is taken, or nothing and the exit code tells why: 3 with --all when some failed again, 5 when it is settled already.
    """
    if (number is None) != every:
        raise BadParameter("name one letter, or --all", param_hint="NUMBER")
    attached = Attached(data_dir)
    if number is not None:
        taken = letters.retry(attached, service, number)
        _tell({"taken": taken}, f"{taken} taken", as_json=as_json)
        return
    taken, failed = 0, []
    for letter in letters.heads(letters.letters_of(attached, [service], reason=reason)):
        try:
            taken += letters.retry(attached, service, letter["id"])
        except CommandFailed as failure:
            if failure.code is Exit.UNAVAILABLE:
                raise
            failed.append({"id": letter["id"], "detail": failure.detail})
            console.say(f"{letter['id']}: {failure.detail}")
    _tell({"taken": taken, "failed": failed}, f"{taken} taken, {len(failed)} failed again", as_json=as_json)
    if failed:
        raise Leave(Exit.ROW_ERRORS)


@app.command()
def discard(
    service: Service,
    number: Number,
    why: Annotated[str, Option("--why", help="The reason, kept for ever.")],
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Give a letter up: what it tells will never be in this service's read models. What waited behind it is taken."""
    if not why.strip():
        raise BadParameter("say why it is given up", param_hint="--why")
    attached = Attached(data_dir)
    letter = letters.whole(attached, service, number)
    if not yes:
        if not sys.stdin.isatty():
            raise BadParameter("nobody is here to be asked: add --yes", param_hint="--yes")
        place = f"{letter['type'] or 'a record'} at {letter['topic']}/{letter['partition']}@{letter['offset']}"
        if not typer.confirm(f"Give up {place} for ever?", err=True):
            raise Leave(Exit.FAILURE)
    taken = letters.discard(attached, service, number, why)
    _tell({"discarded": number, "taken": taken}, f"given up; {taken} that waited were taken", as_json=as_json)


def _tell(document: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        console.print_json(document)
    else:
        console.out.print(sentence, highlight=False)


def _print_bytes(data: bytes, *, as_bytes: bool) -> None:
    if not as_bytes and (document := readable(data)) is not None:
        console.out.print(JSON.from_data(document))
    else:
        console.out.print(hexdump(data) or "no bytes at all", markup=False, highlight=False)


def _text(encoded: str | None) -> str:
    key = base64.b64decode(encoded or "")
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key.hex(" ")
