from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from tillstream import console
from tillstream.commands.audit import Database, PublicKeys, Service
from tillstream.exits import CommandFailed, Exit
from tillstream.exports.files import STDOUT, Format
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import counted, progress

if TYPE_CHECKING:
    import psycopg

    from tillstream.audit.check import Entry


def export(
    file: Annotated[Path, Argument(help="The file to write, - for stdout.", dir_okay=False, allow_dash=True)],
    service: Service = None,
    first: Annotated[int, Option("--from", min=1, help="The first position.")] = 1,
    last: Annotated[
        int | None, Option("--to", min=1, help="The last position; the end of the log if none is given.")
    ] = None,
    kind: Annotated[
        Format | None, Option("--format", help="jsonl unless the file is named .parquet.", case_sensitive=False)
    ] = None,
    database: Database = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Write logs to a file, private facts and personal data included, as they are at this moment.

    A line is an event as CloudEvents 1.0, its data byte for byte that of the log. `till audit verify --export` checks such a file, and so
    does tools/verify_export.py, which needs nothing of ours. The file appears when it is complete.
    """
    from tillstream.audit.logs import logs, open_log
    from tillstream.exports.files import write_export
    from tillstream.exports.log_rows import head_of, read_log

    if last is not None and last < first:
        raise BadParameter("the last position lies before the first", param_hint="--to")
    kind = kind or (Format.PARQUET if file.suffix == ".parquet" else Format.JSONL)
    written: dict[str, int] = {}
    with progress(as_json=as_json) as tell:

        def entries() -> "Iterator[Entry]":
            for name, address in logs(service, database, data_dir).items():
                with open_log(address) as connection:
                    head = head_of(connection)
                    end = min(last or head, head)
                    written[name] = max(0, end - first + 1)
                    yield from counted(read_log(connection, name, first, end), partial(tell, name), written[name])

        write_export(file, kind, entries())
    if file != STDOUT:
        _tell(written, "exported", as_json=as_json)


def import_(
    file: Annotated[Path, Argument(help="A file that `till events export` wrote.", exists=True, dir_okay=False)],
    public_key: PublicKeys = None,
    service: Service = None,
    database: Database = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Put an export back into empty logs: the same events at the same positions, every hash checked. All of it, or nothing.

    With --public-key the signatures are checked, too. With --database the tables are made first, so that a service can be restored before
    it starts. Read models are not in an export: they build themselves from the events.
    """
    import psycopg

    from tillstream.audit.keys import read_keys
    from tillstream.audit.logs import logs
    from tillstream.exports.files import read_export
    from tillstream.exports.restoring import restore_all

    addresses = logs(service, database, data_dir)
    if database:
        _migrate(database)

    def connect(name: str) -> "psycopg.Connection":
        if name not in addresses:
            raise CommandFailed(
                f"nothing was imported: there are events of {name}", "--service, --database", Exit.USAGE
            )
        return psycopg.connect(addresses[name])

    keys = read_keys(public_key) if public_key else None
    with progress(as_json=as_json) as tell:
        restored = restore_all(counted(read_export(file), partial(tell, "events")), connect, keys)
    if not restored:
        raise CommandFailed(f"{file} holds no events")
    _tell(dict(restored), "imported", as_json=as_json)


def _migrate(database: str) -> None:
    import psycopg

    from till_platform.eventstore.schema import migrate

    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection)


def _tell(events: dict[str, int], done: str, *, as_json: bool) -> None:
    if as_json:
        console.print_json({done: events, "events": sum(events.values())})
    else:
        told = ", ".join(f"{number:,} of {name}" for name, number in events.items())
        console.out.print(f"{done}: {told or 'nothing'}", highlight=False)
