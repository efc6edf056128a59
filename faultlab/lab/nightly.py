"""Seeds one after another until enough commands were acknowledged. Every run is a line of a file: a night goes on where it was."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from faultlab.lab.run import run


def nightly(path: Path, until: int, seconds: float, only: Collection[str], tell: Callable[[str], None]) -> int:
    """Run seeds that are not in the file yet; return 1 as soon as one breaks an invariant, and keep what it left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = read_runs(path)
    while sum(one["acknowledged"] for one in done) < until:
        seed = 1 + max((one["seed"] for one in done), default=0)
        directory = Path(tempfile.mkdtemp(prefix=f"till-faults-{seed}-"))
        outcome = asyncio.run(run(seed, seconds, only, directory, tell))
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome.told()) + "\n")
        done.append(outcome.told())
        tell(summary(done))
        if outcome.broken:
            tell(f"seed {seed} broke {outcome.broken}; what it left is in {directory}")
            return 1
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Return what is in the file; a line that a kill cut short counts for nothing."""
    runs = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            runs.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return runs


def summary(runs: Collection[dict[str, Any]]) -> str:
    """Return the figures of many runs in one line; percentiles are of the moments when all was green again after healing."""
    green = sorted(one for run in runs for one in run["green"])
    told = {
        name: sum(run[name] for run in runs)
        for name in ("acknowledged", "lost", "doubled", "fenced", "delivered_again", "dropped")
    }
    counts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in told.items())
    return f"{len(runs)} runs: {counts}; green after p50 {at(green, 50):.1f} p99 {at(green, 99):.1f} max {at(green, 100):.1f} s"


def at(values: list[float], percent: int) -> float:
    """Return the smallest of sorted values that so many percent do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else 0.0
