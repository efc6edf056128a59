import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

from rich.markup import escape
from typer import Argument, BadParameter, Option
from typer import Exit as Leave

from tillstream import console
from tillstream.attached import Attached
from tillstream.exits import Exit
from tillstream.local.issuer import Role
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import Tell, progress

if TYPE_CHECKING:
    from tillstream.importing.kind import Kind
    from tillstream.importing.outcome import Outcome

MOST_SHOWN = 20


class Service(StrEnum):
    """Who takes files."""

    CUSTOMER = "customer"
    ORDER = "order"


class Mode(StrEnum):
    """What is done with a customer who is known already."""

    SKIP = "skip"
    UPDATE = "update"


class Dates(StrEnum):
    """What comes first in a date like 03/04/1990."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


def import_(
    file: Annotated[
        Path,
        Argument(
            exists=True, dir_okay=False, readable=True, allow_dash=True, help="CSV or XLSX, or JSON lines; - for stdin."
        ),
    ],
    service: Annotated[Service | None, Option(help="Who shall take it; told by the content if left out.")] = None,
    mapping: Annotated[
        str | None, Option(help='Customers: which column holds what, as JSON: {"Phone": "phone"}.', metavar="JSON")
    ] = None,
    mode: Annotated[Mode, Option(help="Customers: what becomes of those known already.")] = Mode.SKIP,
    wording: Annotated[str, Option(help="Customers: the version of the text they consented to.")] = "import",
    country: Annotated[str | None, Option(help="Customers: where phones are without a country code, e.g. PL.")] = None,
    zone: Annotated[str | None, Option(help="Customers: their time zone where the list does not tell it.")] = None,
    dates: Annotated[Dates, Option(help="Customers: day or month first.")] = Dates.DAY_FIRST,
    dry_run: Annotated[bool, Option("--dry-run", help="Look at every row, record nothing.")] = False,
    rejects: Annotated[
        Path | None, Option(help="Write refused rows there, with their reasons, as JSON lines.", dir_okay=False)
    ] = None,
    rate: Annotated[
        int | None, Option(help="Receipts, products: rows a second at most, to leave tills their speed.", min=1)
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Bring a file in: a customer list (CSV, XLSX), or receipts or products (JSON lines); which it is, is seen from its content.

    Exit code 3 when rows were refused. Stopped by Ctrl-C or by anything else, the same command again goes on harmlessly.

    Customers: the first row names the columns, in any order and many languages: name, phone, e-mail, card, birthday, consents and more.
    Encoding and delimiter are detected. A dry run shows whether it is understood; --mapping helps where it is not.

    Products, one a line: {"product_id": "p1", "name": "Tea"}, and if known department, category, product_type, brand, manufacturer, size.

    Receipts, one a line, amounts in cents: {"store_id": "404", "till_id": "1", "receipt_number": "77",
    "occurred_at": "2026-11-20T10:00:00-05:00", "customer_id": "hh-0001", "total_minor": 250,
    "lines": [{"line_id": 1, "product_id": "p1", "quantity": "1", "paid_minor": 250}],
    "tenders": [{"method": "cash", "amount_minor": 250}]}. All fields: /docs of the order service.
    """
    from tillstream.importing.kind import kind_of
    from tillstream.importing.outcome import Outcome

    instructions = {
        "mode": mode.value,
        "wording": wording,
        "dates": dates.value,
        "dry_run": str(dry_run).lower(),
        **{name: value for name, value in (("country", country), ("zone", zone)) if value},
        **({"mapping": _mapping(mapping)} if mapping else {}),
    }
    with on_disk(file) as path:
        kind = kind_of(path, service)
        attached = Attached(data_dir)
        summary: dict[str, Any] = {}
        with Outcome(rejects) as outcome:
            try:
                with progress(as_json=as_json) as tell:
                    summary = _send(attached, kind, path, instructions, outcome, tell, rate)
            except KeyboardInterrupt:
                console.say(f"stopped after {outcome.rows} rows; the same command again goes on, what is in stays in")
                raise Leave(Exit.INTERRUPTED) from None
    _report(kind, file, outcome, {"dry_run": dry_run, **summary}, rejects=rejects, as_json=as_json)
    if outcome.bad:
        raise Leave(Exit.ROW_ERRORS)


@contextmanager
def on_disk(file: Path) -> Iterator[Path]:
    """What comes through a pipe is kept while it is imported: it is looked at before it is sent, and may be sent again."""
    if str(file) != "-":
        yield file
        return
    with NamedTemporaryFile(prefix="till-import-") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name)


def _send(
    attached: Attached,
    kind: "Kind",
    file: Path,
    instructions: dict[str, str],
    outcome: "Outcome",
    tell: Tell,
    rate: int | None,
) -> dict[str, Any]:
    from tillstream.importing.customer_list import send_list
    from tillstream.importing.json_lines import count_lines, look_through, send_lines
    from tillstream.importing.pace import Pace

    total = None if kind == "customers" else count_lines(file)

    def told(done: int) -> None:
        tell(str(kind), done, max(total, done) if total else None)
        if outcome.bad:
            tell("refused", outcome.bad, None)

    if kind == "customers":
        with attached.client(kind.service, Role.ADMIN) as client:
            return send_list(client, file, instructions, outcome, told)
    if instructions["dry_run"] == "true":
        look_through(kind, file, outcome, told)
        return {}
    with attached.client(kind.service, Role.INTEGRATION) as client:
        send_lines(client, kind, file, outcome, told, Pace(rate))
    return {}


def _mapping(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadParameter('a JSON object of column to field, e.g. {"Phone": "phone"}', param_hint="--mapping")
    return text


def _report(
    kind: "Kind", file: Path, outcome: "Outcome", facts: dict[str, Any], *, rejects: Path | None, as_json: bool
) -> None:
    if as_json:
        console.print_json(
            {
                "kind": kind,
                "service": kind.service,
                "file": str(file),
                "rows": outcome.rows,
                "counts": dict(outcome.counts),
                "refused": outcome.refused,
                "rejects_file": str(rejects) if rejects else None,
                **facts,
            }
        )
        return
    for refused in outcome.refused[:MOST_SHOWN]:
        console.out.print(f"row {refused['row']}: {escape(refused['reason'])}", style="red", highlight=False)
    if outcome.bad > MOST_SHOWN:
        console.say(f"and {outcome.bad - MOST_SHOWN} more: --rejects FILE keeps all of them")
    counts = ", ".join(f"{number:,} {status}" for status, number in outcome.counts.most_common())
    console.out.print(f"{outcome.rows:,} {kind}: {counts or 'nothing'}", highlight=False)
    if facts["dry_run"]:
        console.say("a dry run: nothing was recorded")
