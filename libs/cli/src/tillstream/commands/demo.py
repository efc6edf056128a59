import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

from typer import BadParameter, Option
from typer import Exit as Leave

from tillstream import console
from tillstream.attached import Attached
from tillstream.commands.up import show
from tillstream.exits import Exit
from tillstream.local import control
from tillstream.local.directory import DataDirectory
from tillstream.local.state import StackState
from tillstream.options import DEFAULT_DATA_DIR, AsJson, DataDir
from tillstream.progress import progress


class Dates(StrEnum):
    """Where in time the receipts of 2017 are put."""

    MOVED = "moved"
    ORIGINAL = "original"


def demo(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    weeks: Annotated[str, Option(help="How many weeks of the year, 1 to 52, or all.")] = "4",
    keep: Annotated[
        bool, Option("--keep", help="Leave everything running at the end and print every address.")
    ] = False,
    dates: Annotated[
        Dates, Option(help="`moved` by whole weeks so that they end last week, or as they are.")
    ] = Dates.MOVED,
    fresh: Annotated[
        bool, Option("--fresh", help="Stop what runs from the data directory and delete the directory first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a real grocery chain's receipts through all five services, trade live, and check that everything agrees.

    Exit code 1 when something does not, with the first difference. With --json and --keep, `stack` holds every address.
    """
    from tillstream.demo.report import print_report
    from tillstream.demo.run import (
        Choice,
        run_demo,
        told_before,
    )  # reading the data takes a library that is slow to load

    choice = Choice(_weeks(weeks), original_dates=dates is Dates.ORIGINAL)
    directory = DataDirectory(data_dir)
    was_running = StackState.read(directory).running
    if fresh:
        control.forget(directory, console.say)
        was_running = False
    told_before(directory.path, choice)
    with _interrupted_by(signal.SIGTERM, signal.SIGHUP):
        with console.download_progress("Kafka") as on_download:
            state = control.start_detached(directory, say=console.say, on_download=on_download)
        came_to_its_end = False
        try:
            with progress(as_json=as_json) as tell:
                report = run_demo(Attached(data_dir), choice, tell)
            came_to_its_end = True
        finally:
            if not was_running and not (keep and came_to_its_end):
                control.stop(directory, console.say)
    if as_json:
        console.print_json({**report, "stack": state.model_dump(mode="json")} if keep else report)
    else:
        print_report(report, console.out)
        if keep:
            show(state, as_json=False)
    if not report["verified"]:
        console.say(report["differences"][0])
        raise Leave(Exit.FAILURE)


@contextmanager
def _interrupted_by(*signals: signal.Signals) -> Iterator[None]:
    """A terminal that goes away ends the demo as Ctrl-C does: what it started is stopped."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _weeks(text: str) -> int | None:
    if text == "all":
        return None
    if text.isdigit() and 1 <= int(text) <= 52:
        return int(text)
    raise BadParameter("1 to 52, or all", param_hint="--weeks")
