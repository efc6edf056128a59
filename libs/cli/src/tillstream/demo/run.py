"""The demo from beginning to end."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from till_platform.local.files import write_atomically
from tillstream.attached import Attached
from tillstream.demo import story
from tillstream.demo.dataset import ZONE, Dataset
from tillstream.demo.importing import import_history
from tillstream.demo.live import place_live_orders
from tillstream.demo.people import person
from tillstream.demo.totals import totals
from tillstream.exits import CommandFailed, Exit
from tillstream.standing import Standing, wait_until_caught_up
from tillstream.verification.whole import verify

Tell = Callable[[str, int, int], None]
NOTE = "demo.json"
_UNSENT = "SELECT count(*) FROM effect WHERE done_at IS NULL AND not_before <= now()"


@dataclass(frozen=True)
class Choice:
    """What part of the year is shown (`weeks`, None for all), and whether its dates stay those of 2017."""

    weeks: int | None = 4
    original_dates: bool = False


def told_before(directory: Path, choice: Choice) -> dict[str, Any] | None:
    """Return what an earlier demo noted in this directory; raise CommandFailed if it told another part of the year, or other dates."""
    note = directory / NOTE
    if not note.exists():
        return None
    before: dict[str, Any] = json.loads(note.read_text())
    if (before["weeks"], before["today"] is None) != (choice.weeks, choice.original_dates):
        dates = "moved dates" if before["today"] else "the original dates"
        raise CommandFailed(
            f"{directory} holds the demo of {before['weeks'] or 'all'} weeks already, with {dates}",
            "till demo --fresh (forgets it), or --data-dir of its own",
            Exit.CONFLICT,
        )
    return before


def dataset_of(directory: Path, choice: Choice) -> Dataset:
    """Return the data, moved to where an earlier demo in this directory moved it: receipts told again must be the same receipts."""
    today = None if choice.original_dates else datetime.now(ZoneInfo(ZONE)).date()
    told = told_before(directory, choice) or {"weeks": choice.weeks, "today": today.isoformat() if today else None}
    write_atomically(directory / NOTE, json.dumps(told))
    return Dataset(choice.weeks, today=date.fromisoformat(told["today"]) if told["today"] else None)


def run_demo(attached: Attached, choice: Choice, tell: Tell) -> dict[str, Any]:
    """Import, catch up, trade live, verify; return everything that is worth telling. `verified` says whether all of it agrees."""
    data = dataset_of(attached.directory.path, choice)
    last_day = data.last_day.isoformat()
    started = time.monotonic()
    imported = import_history(attached, data, tell)
    seconds_import = time.monotonic() - started
    standing = _catch_up(attached, tell)
    seconds_caught_up = time.monotonic() - started
    known = totals(attached, data.last_day)

    people = [person(household, first) for household, first in data.households]
    products = [product["product_id"] for product, _ in zip(data.products(), range(60), strict=False)]
    orders = place_live_orders(attached, people, data.stores, products)
    _catch_up(attached, tell)
    scored = story.score(attached, last_day)
    _wait_for_messages(attached, tell)
    last = _catch_up(attached, tell)
    best = story.best_customers(attached, last_day)
    report = verify(attached, tell)
    differences = [*_differences(data, known), *report.differences]
    return {
        "weeks": choice.weeks or "all",
        "last_day": last_day,
        "receipts": data.receipts_count,
        "lines": data.lines_count,
        "sales_minor": data.sales_minor,
        "households": len(data.households),
        "stores": len(data.stores),
        "products": data.products_count,
        "answers": {what: dict(counts) for what, counts in imported.counts.items()},
        "seconds_import": round(seconds_import, 1),
        "seconds_caught_up": round(seconds_caught_up, 1),
        "events": sum(standing.recorded.values()),
        "events_by_topic": {f"till.{name}": number for name, number in last.published.items()},
        "events_per_second": round(sum(standing.recorded.values()) / seconds_caught_up),
        "totals": [vars(total) for total in known],
        "best_customers": best,
        "rfm": {"scored": scored, **story.groups(attached, last_day)},
        "customer": story.life_of(attached, best[0]["customer_id"]),
        "live_orders": story.outcomes(attached, orders),
        "messages": story.message_counts(attached),
        "dead_letters": story.dead_letters(attached),
        "projections": report.projections,
        "logs": report.logs,
        "verified": not differences,
        "differences": differences,
    }


def _catch_up(attached: Attached, tell: Tell) -> Standing:
    def progress(standing: Standing) -> None:
        tell("catching up", standing.done, standing.done + standing.behind)

    return wait_until_caught_up(attached, tell=progress)


def _wait_for_messages(attached: Attached, tell: Tell, patience_seconds: float = 120) -> None:
    """Wait until every message that may go now has gone."""
    most = 0
    deadline = time.monotonic() + patience_seconds
    with psycopg.connect(attached.state.databases["notification"], autocommit=True) as connection:
        while time.monotonic() < deadline:
            (waiting,) = connection.execute(_UNSENT).fetchone() or (0,)
            most = max(most, waiting)
            tell("messages", most - waiting, most)
            if not waiting:
                return
            time.sleep(0.2)
    raise CommandFailed(f"{waiting} messages were not sent within {patience_seconds:.0f} s", "till logs notification")


def _differences(data: Dataset, known: list[Any]) -> list[str]:
    found = []
    for total in known:
        if total.sales_minor != data.sales_minor:
            found.append(f"{total.service} knows sales of {total.sales_minor} cents, the data holds {data.sales_minor}")
        if total.receipts != data.receipts_count:
            found.append(f"{total.service} knows {total.receipts} receipts, the data holds {data.receipts_count}")
        if total.lines is not None and total.lines != data.lines_count:
            found.append(f"{total.service} knows {total.lines} lines, the data holds {data.lines_count}")
    return found
