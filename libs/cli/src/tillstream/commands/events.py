import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.json import JSON
from rich.table import Table
from typer import Argument, BadParameter, Option

from tillstream import completing, console
from tillstream.attached import Attached
from tillstream.commands import time_travel
from tillstream.exits import CommandFailed, Exit
from tillstream.options import DEFAULT_DATA_DIR, AsJson, AsJsonLines, DataDir

if TYPE_CHECKING:
    from tillstream.events.recorded import Recorded
    from tillstream.events.topic_reader import Wanted

app = typer.Typer(no_args_is_help=True, help="Look at what was recorded.")

Services = Annotated[
    list[str] | None, Argument(help="Services; all if none is named.", autocompletion=completing.one_service)
]
Unmask = Annotated[bool, Option("--unmask", help="Show names, addresses and phones, too.")]


class Clock(StrEnum):
    """Which time counts: when an event entered the log, or when it happened in the shop."""

    RECORDED = "recorded"
    OCCURRED = "occurred"


class Grouping(StrEnum):
    """By what events are counted."""

    TYPE = "type"
    SERVICE = "service"
    DAY = "day"
    STORE = "store"


@app.command()
def tail(
    service: Services = None,
    kind: Annotated[
        list[str] | None,
        Option("--type", help="e.g. OrderPlaced or order*; repeat for more.", autocompletion=completing.event_names),
    ] = None,
    lines: Annotated[int, Option("-n", "--lines", min=0, help="How many of the last events.")] = 20,
    from_start: Annotated[bool, Option("--from-start", help="All events there are.")] = False,
    since: Annotated[
        str | None, Option("--since", help="All events recorded since: 10m, 2h, 3d, or a time in UTC.")
    ] = None,
    follow: Annotated[bool, Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    unmask: Unmask = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJsonLines = False,
) -> None:
    """Show the events on the topics: when recorded (UTC), by whom, what, about what, under which key, and the rest in brief.

    With --json each line is an event as CloudEvents 1.0, structured mode. Personal data is masked unless --unmask.
    """
    from tillstream.events.choice import moment, types_like
    from tillstream.events.topic_reader import Wanted

    if from_start and since:
        raise BadParameter("either from the start or since a time", param_hint="--since")
    attached = Attached(data_dir)
    wanted = Wanted(
        topics=[attached.topic(name) for name in attached.chosen(service)],
        types=types_like(kind or ()),
        since=moment(since, datetime.now(UTC)) if since else None,
        complain=console.say,
    )
    last = None if from_start or since else lines
    asyncio.run(_tail(attached, wanted, last, follow=follow, unmask=unmask, as_json=as_json))


async def _tail(
    attached: Attached, wanted: "Wanted", last: int | None, *, follow: bool, unmask: bool, as_json: bool
) -> None:
    from tillstream.events import topic_reader

    async for events in topic_reader.tail(attached.kafka, wanted, last=last, follow=follow):
        _print(events, unmask=unmask, as_json=as_json)


@app.command()
def show(
    what: Annotated[
        str,
        Argument(
            help="An event's id, a stream as order-0199…, or one version of it as order-0199…@3.",
            autocompletion=completing.streams,
        ),
    ],
    at: Annotated[
        str | None, Option("--at", help="What a stream added up to then: 2h ago, a date, a time in UTC, or now.")
    ] = None,
    diff: Annotated[
        str | None, Option("--diff", help="With --at: what is not the same at this other time, and why.")
    ] = None,
    by: Annotated[
        Clock, Option("--by", help="With --at: when events were recorded, or when they happened in the shop.")
    ] = Clock.RECORDED,
    unmask: Unmask = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJsonLines = False,
) -> None:
    """Show one event whole, or all events of a stream, from the logs: private facts, too. Exit code 4 where there is no such thing.

    With --at: what the order, the account, the customer was at that time, put together from its events; with --diff what changed since.
    """
    if diff and not at:
        raise BadParameter("say also from when: --at", param_hint="--diff")
    from tillstream.events.choice import Place
    from tillstream.events.log_reader import find
    from tillstream.events.telling import shown

    attached, place = Attached(data_dir), Place.of(what)
    found = find(attached, attached.services, place)
    if not found:
        raise CommandFailed(
            f"nobody recorded {what}", "till events tail shows events and their streams", Exit.NOT_FOUND
        )
    if at:
        time_travel.show(found, attached, at, diff, by, unmask=unmask, as_json=as_json)
    elif as_json or len(found) > 1 or not (place.event_id or place.version):
        _print(found, unmask=unmask, as_json=as_json)
    else:
        _print_whole(shown(found[0], unmask=unmask))


@app.command()
def count(
    service: Services = None,
    by: Annotated[Grouping, Option("--by", help="A day is the UTC day on which it happened.")] = Grouping.TYPE,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Count the events in the logs."""
    from tillstream.events import log_reader

    attached = Attached(data_dir)
    counts = log_reader.count(attached, attached.chosen(service), by)
    total = sum(number for *_, number in counts)
    if as_json:
        groups = [{"service": name, "group": group, "events": number} for name, group, number in counts]
        console.print_json({"by": by, "counts": groups, "events": total})
        return
    table = Table("service", by, "events", box=None)
    table.columns[-1].justify = "right"
    for name, group, number in counts:
        table.add_row(name or "", group or "", f"{number:,}")
    table.add_section()
    table.add_row("", "", f"{total:,}", style="bold")
    console.out.print(table)


def _print(events: "Sequence[Recorded]", *, unmask: bool, as_json: bool) -> None:
    from tillstream.events.telling import json_line, line, shown

    plain = not console.out.is_terminal
    for event in events:
        seen = shown(event, unmask=unmask)
        if as_json or plain:  # many thousands a second when they are piped on
            sys.stdout.write(f"{json_line(seen) if as_json else line(seen).plain}\n")
        else:
            console.out.print(line(seen))
    with suppress(ValueError):
        sys.stdout.flush()


def _print_whole(event: "Recorded") -> None:
    from till_events.envelope import to_attributes

    published = "yes" if event.public else "no: a private fact"
    console.print_facts({**to_attributes(event.envelope), "published": published}.items())
    console.out.print(JSON(event.data.decode(errors="replace")))
