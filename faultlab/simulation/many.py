"""Many seeds on all processors, and what they showed together."""

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from faultlab.simulation.controls import CONTROLS
from faultlab.simulation.run import Scenario, run

CHUNK = 50


@dataclass
class Found:
    """What some seeds showed."""

    seeds: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    broken: dict[int, dict[str, str]] = field(default_factory=dict)
    control: str | None = None

    def add(self, other: "Found") -> None:
        """Take in what other seeds showed."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.faults += other.faults
        self.counts += other.counts
        self.broken |= other.broken

    def told(self) -> str:
        """Return the whole in words, the first counter-example of each invariant with its seed."""
        lines = [f"{self.seeds} seeds, {self.steps} steps, {len(self.broken)} seeds broke an invariant"]
        lines.append("faults: " + ", ".join(f"{number} x {kind}" for kind, number in sorted(self.faults.items())))
        lines.append("seen: " + ", ".join(f"{number} {what}" for what, number in sorted(self.counts.items())))
        first: dict[str, tuple[int, str]] = {}
        for seed in sorted(self.broken):
            for invariant, example in self.broken[seed].items():
                first.setdefault(invariant, (seed, example))
        lines += [f"{name} is broken by seed {seed} {example}" for name, (seed, example) in sorted(first.items())]
        if self.broken:
            without = f" CONTROL={self.control}" if self.control else ""
            lines.append(f"again, with its timeline: make simulate SEED={min(self.broken)}{without}")
        return "\n".join(lines)


def many(seeds: Sequence[int], control: str | None = None) -> Found:
    """Run seeds, some at once on each processor."""
    chunks = [(list(seeds[start : start + CHUNK]), control) for start in range(0, len(seeds), CHUNK)]
    whole = Found(control=control)
    # Forked, so that what was imported is not imported again; nothing runs in this process but this. What is there already is no garbage:
    # under pytest it is so much that looking through it would cost more than the worlds.
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), gc.freeze) as pool:
        for found in pool.imap_unordered(_some, chunks):
            whole.add(found)
    return whole


def _some(work: tuple[Sequence[int], str | None]) -> Found:
    seeds, control = work
    scenario = next((known.scenario for known in CONTROLS if known.id == control), Scenario())
    found = Found()
    gc.disable()  # one world at a time is thrown away at once, which is cheaper than to look for it in between
    for seed in seeds:
        outcome = run(seed, scenario)
        found.add(Found(1, outcome.steps, Counter(outcome.faults), Counter(outcome.counts)))
        if outcome.violations:
            found.broken[seed] = outcome.violations
    gc.collect()
    return found
