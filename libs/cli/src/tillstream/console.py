import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from till_platform.local.jars import OnProgress
from tillstream.exits import CommandFailed

PIPED_WIDTH = 400
PROBLEM = "till: "
HINT = "  → "


class _Console(Console):
    """Leaves it to whoever prints what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 -- called where the BrokenPipeError is handled


def _width() -> int | None:
    """Where there is no terminal, nothing has to be cut to fit into one."""
    return None if sys.stdout is None or sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH


out = _Console(soft_wrap=True, width=_width())
"""Data, and nothing else, so that it can be piped."""
err = _Console(stderr=True, soft_wrap=True)
"""Progress, hints, and what went wrong."""


def print_json(value: Any) -> None:
    """One JSON document on stdout, without colours even on a terminal."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def say(line: str) -> None:
    """Told as long as somebody listens: a closed terminal must not keep the stack from being stopped in order."""
    with suppress(OSError):
        err.print(line, style="dim", markup=False, highlight=False)


def hint(line: str) -> None:
    err.print(f"{HINT}{line}", style="cyan", markup=False, highlight=False)


def print_failure(failure: CommandFailed, *, as_json: bool) -> None:
    """One line of what is wrong and one of what to do, or the same as a problem document."""
    if as_json:
        title = failure.code.name.lower().replace("_", "-")
        problem = {"type": f"tillstream:cli:{title}", "title": title, "detail": failure.detail, "hint": failure.hint}
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
        return
    err.print(f"{PROBLEM}{failure.detail}", style="bold red", markup=False, highlight=False)
    if failure.hint:
        hint(failure.hint)


@contextmanager
def download_progress(what: str) -> Iterator[OnProgress]:
    """A bar that appears with the first byte, and not at all when everything is here already."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=err)
    tasks: list[TaskID] = []

    def on_progress(done: int, total: int) -> None:
        if not tasks:
            progress.start()
            tasks.append(progress.add_task(what, total=total))
        progress.update(tasks[0], completed=done, total=total)

    try:
        yield on_progress
    finally:
        if tasks:
            progress.stop()


def print_json_line(value: Any) -> None:
    """One JSON object on a line of its own, for streams."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one to a line, whatever their length: nothing is cut off."""
    for name, value in facts:
        out.print(f"{name:<16}", style="dim", end="", markup=False, highlight=False)
        out.print(str(value), markup=False, highlight=False)
