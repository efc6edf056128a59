"""One run: a chain is opened, trades while the nemesis rages, is healed and looked at, several times over; then the oracle judges."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from faultlab.lab.damage import Damage
from faultlab.lab.evidence import Evidence, gather
from faultlab.lab.figures import Figures, delivered_again
from faultlab.lab.history import OK, History
from faultlab.lab.installation import Installation
from faultlab.lab.nemesis import Nemesis
from faultlab.lab.oracle import judge
from faultlab.lab.rest import time_to_green
from faultlab.lab.trade import Trade

ROUND_SECONDS = 20.0
"""So long the nemesis rages before everything is healed and looked at."""
Tell = Callable[[str], None]


@dataclass
class Outcome:
    """What a run showed. `acknowledged` counts commands, each receipt of a list for itself."""

    seed: int
    seconds: float
    faults: dict[str, int]
    acknowledged: int = 0
    lost: int = 0
    unknown: int = 0
    fenced: int = 0
    delivered_again: int = 0
    dropped: int = 0
    green: list[float] = field(default_factory=list)
    kills: int = 0
    events: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    timeline: list[tuple[float, str, str]] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


async def run(
    seed: int, seconds: float, only: Collection[str], directory: Path, tell: Tell, *, weakened: str = ""
) -> Outcome:
    """Run one seed; `weakened` names a control, whose defence is out in every instance."""
    began = time.monotonic()
    tell(f"seed {seed}: starting parts and instances in {directory}")
    async with Installation(directory, Random(f"{seed} edges"), weakened) as installation:
        tell(f"{time.monotonic() - began:.0f} s: everything is ready")
        with History(directory / "history.jsonl") as history:
            trade, damage = Trade(installation, history, seed), Damage(installation, history)
            figures = Figures(installation)
            watching = asyncio.create_task(figures.watch())
            try:
                await trade.open()
                green, unsettled = await _rounds(seed, seconds, only, trade, damage, tell)
            finally:
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
                await trade.close()
            await figures.look()
        tell(f"{time.monotonic() - began:.0f} s: judging {history.acknowledged} commands")
        evidence = await gather(installation, frozenset(damage.wiped), tuple(damage.rubbish))
        evidence.unsettled = unsettled
        outcome = Outcome(seed, time.monotonic() - began, dict(damage.happened), history.acknowledged, green=green)
        outcome.timeline = damage.timeline
        outcome.fenced, outcome.dropped = figures.total("fenced"), figures.total("dropped")
        outcome.kills = sum(member.kills for member in installation.members.values())
        return _judged(outcome, evidence)


async def _rounds(
    seed: int, seconds: float, only: Collection[str], trade: Trade, damage: Damage, tell: Tell
) -> tuple[list[float], str]:
    nemesis = Nemesis(damage, seed, only)
    green: list[float] = []
    left = seconds
    while left > 0:
        length = min(ROUND_SECONDS, left)
        left -= length
        told = len(damage.timeline)
        async with asyncio.TaskGroup() as group:
            trading = group.create_task(trade.go_on(length))
            await nemesis.rage(length)
            await nemesis.heal()
            healed = time.monotonic()
            await trading
        after, unsettled = await time_to_green(damage.installation)
        green.append(round(time.monotonic() - healed, 1))
        for when, fault, what in damage.timeline[told:]:
            tell(f"  {when:6.1f} {fault:4} {what}")
        tell(f"green {green[-1]:.1f} s after healing, {after:.1f} s after the last till")
        if unsettled:
            return green, unsettled
    return green, ""


def _judged(outcome: Outcome, evidence: Evidence) -> Outcome:
    outcome.broken = judge(evidence)
    ended = [command.outcome for command in evidence.history.values()]
    outcome.unknown = sum(one not in {OK, "fail"} for one in ended)
    outcome.delivered_again = delivered_again(evidence)
    outcome.events = sum(map(len, evidence.logs.values()))
    outcome.lost = sum("in the log 0 times" in example for example in outcome.broken.values())
    return outcome
