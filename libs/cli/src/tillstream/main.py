import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from typer.core import TyperGroup

from till_platform.local import LocalProblem
from tillstream import console
from tillstream.commands import (
    access,
    audit,
    backup,
    contracts,
    demo,
    dlq,
    doctor,
    down,
    events,
    events_files,
    import_,
    logs,
    outbox,
    projections,
    republish,
    restore,
    status,
    token,
    up,
    verify,
    webhooks,
)
from tillstream.exits import CommandFailed, Exit
from tillstream.options import DEFAULT_DATA_DIR


class _Till(TyperGroup):
    """Ends as other programs do when whoever reads its output has had enough: quietly, and with a code that tells it."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer keeps a context of its own
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())  # what is still to be written when Python ends
            sys.exit(Exit.PIPE_CLOSED)


app = typer.Typer(
    name="till",
    cls=_Till,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run Tillstream on this machine and work with its log.",
    epilog="Exit codes: 0 done · 1 something is wrong · 2 not understood · 3 some rows refused · 4 not found · 5 conflict · "
    "6 not allowed · 7 nothing runs or no answer · 8 contract broken · 130 stopped by Ctrl-C · 141 the output was not read to its end",
)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("doctor")(doctor.doctor)
app.command("token")(token.token)
app.command("outbox")(outbox.outbox)
app.command("demo")(demo.demo)
app.command("import")(import_.import_)
app.command("verify")(verify.verify)
events.app.command("export")(events_files.export)
events.app.command("import")(events_files.import_)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
events.app.command("republish")(republish.republish)
app.add_typer(events.app, name="events")
app.add_typer(audit.app, name="audit")
app.add_typer(projections.app, name="projections")
app.add_typer(dlq.app, name="dlq")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(access.app, name="access")
app.add_typer(contracts.app, name="contracts")


@app.callback(invoke_without_command=True)
def till(
    data_dir: Annotated[  # noqa: ARG001 -- read by each command's own --data-dir
        Path,
        typer.Option(
            "--data-dir", envvar="TILL_DATA_DIR", file_okay=False, help="Where everything of a local stack is kept."
        ),
    ] = DEFAULT_DATA_DIR,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --version: as JSON.")] = False,
) -> None:
    """Event-sourced CRM for chains of shops."""
    if show_version:
        numbers = {name: version(name) for name in ("tillstream", "tillstream-platform", "tillstream-events")}
        if as_json:
            console.print_json({"version": numbers.pop("tillstream"), "packages": numbers, "kafka": "4.3.0"})
        else:
            console.out.print(f"till {numbers['tillstream']}", highlight=False)
        raise typer.Exit


def main() -> None:
    """The `till` command. How it ends is listed in `exits.py` and in `till --help`."""
    as_json = "--json" in sys.argv
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what keeps it from its work is told in our words
    try:
        app()
    except CommandFailed as failure:
        console.print_failure(failure, as_json=as_json)
        sys.exit(failure.code)
    except LocalProblem as problem:
        console.print_failure(CommandFailed(problem.problem, problem.remedy), as_json=as_json)
        sys.exit(Exit.FAILURE)
    except psycopg.OperationalError as error:
        console.print_failure(
            CommandFailed(f"PostgreSQL: {str(error).splitlines()[0]}", "till doctor", Exit.UNAVAILABLE), as_json=as_json
        )
        sys.exit(Exit.UNAVAILABLE)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        console.print_failure(CommandFailed(f"{error.strerror or error}{place}"), as_json=as_json)
        sys.exit(Exit.FAILURE)


if __name__ == "__main__":
    main()
