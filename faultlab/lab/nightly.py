"""Seeds one after another until enough commands were acknowledged. Every run is a line of a file: a night goes on where it was."""

import asyncio
import itertools
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faultlab.lab.run import Outcome, run
from faultlab.lab.table import table


@dataclass(frozen=True, slots=True)
class Night:
    """How long to go on: until so many commands are acknowledged in all nights, or so many minutes have passed in this one."""

    path: Path
    until: int
    minutes: float | None
    seconds: float
    only: tuple[str, ...] = ()


def nightly(night: Night, tell: Callable[[str], None]) -> int:
    """Run seeds that are not in the file yet; return 1 as soon as one breaks an invariant, and keep what it left behind."""
    night.path.parent.mkdir(parents=True, exist_ok=True)
    done, began = read_runs(night.path), time.monotonic()
    while sum(one["acknowledged"] for one in done) < night.until:
        if night.minutes is not None and time.monotonic() - began > 60 * night.minutes:
            break
        seed = next_seed(done)
        directory = Path(tempfile.mkdtemp(prefix=f"till-faults-{seed}-"))
        outcome = asyncio.run(run(seed, night.seconds, night.only, directory, tell))
        done.append(line_of(outcome))
        with night.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
        if outcome.broken:
            tell(f"seed {seed} broke {outcome.broken}; what it left is in {directory}")
            return 1
        shutil.rmtree(directory, ignore_errors=True)
    tell("\n".join(table(done)))
    return 0


def next_seed(done: Collection[dict[str, Any]]) -> int:
    """Return the first seed that is not there: whoever takes a line out has its seed run again."""
    ran = {one["seed"] for one in done}
    return next(seed for seed in itertools.count(1) if seed not in ran)


def line_of(outcome: Outcome) -> dict[str, Any]:
    """Return what is kept of a run: of one that went well no timeline, its seed makes the same plan again."""
    told = outcome.told()
    if not outcome.broken:
        del told["timeline"]
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    return {**told, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Return what is in the file; a line that a kill cut short counts for nothing."""
    runs = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            runs.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return runs
