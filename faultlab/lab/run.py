"""One run: a chain is opened, trades while the nemesis rages, is healed and looked at, several times over; then the oracle judges."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
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
from faultlab.lab.oracle_of_business import doubled
from faultlab.lab.oracle_of_commands import lost
from faultlab.lab.rest import time_to_green, until_still
from faultlab.lab.supervisor import Supervisor
from faultlab.lab.trade import Trade
from faultlab.lab.volumes import may_mount

ROUND_SECONDS = 20.0
"""So long the nemesis rages before everything is healed and looked at."""
THREADS = 32
"""Many wait at once for what does not answer."""
Tell = Callable[[str], None]


@dataclass
class Outcome:
    """What a run showed. `acknowledged` counts commands, each receipt of a list for itself."""

    seed: int
    seconds: float
    faults: dict[str, int]
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unknown: int = 0
    fenced: int = 0
    delivered_again: int = 0
    dropped: int = 0
    green: list[float] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    """Of instances, by service."""
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
    _be_ready()
    began = time.monotonic()
    small_disks = _wants_small_disks(seed, only, tell)
    tell(f"seed {seed}: starting parts and instances in {directory}")
    async with Installation(directory, Random(f"{seed} edges"), weakened, small_disks=small_disks) as installation:
        tell(f"{time.monotonic() - began:.0f} s: everything is ready")
        with History(directory / "history.jsonl") as history:
            damage, figures = Damage(installation, history, tell), Figures(installation)
            supervisor = Supervisor(damage)
            async with Trade(installation, history, seed) as trade:
                await trade.open()
                async with _beside(figures.watch(), supervisor.watch()):
                    green, unsettled = await _rounds(seed, seconds, only, trade, damage, tell)
            await figures.look()
        tell(f"{time.monotonic() - began:.0f} s: judging {history.acknowledged} commands")
        if not unsettled:
            unsettled = await until_still(installation, tell)
        evidence = await gather(installation, frozenset(damage.wiped), tuple(damage.rubbish))
        evidence.unsettled = next(iter(supervisor.ended), unsettled)
        outcome = Outcome(seed, time.monotonic() - began, dict(damage.happened), history.acknowledged, green=green)
        outcome.timeline = damage.timeline
        outcome.fenced, outcome.dropped = figures.total("fenced"), figures.total("dropped")
        for member in installation.members.values():
            outcome.kills[member.service] = outcome.kills.get(member.service, 0) + member.kills
        return _judged(outcome, evidence)


def _wants_small_disks(seed: int, only: Collection[str], tell: Tell) -> bool:
    """One seed in three, since a small disk is memory, which forgets nothing and takes no time: the others are for the real disk."""
    if not ("F9" in only or (not only and seed % 3 == 0)):
        return False
    if not may_mount():
        tell("F9 is left out: no disk may be mounted here, that takes root on Linux")
        return False
    return True


@asynccontextmanager
async def _beside(*watches: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let these go on as long as the block does."""
    tasks = [asyncio.create_task(watch) for watch in watches]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _be_ready() -> None:
    """Told to end, stop all that was started first."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.set_default_executor(ThreadPoolExecutor(THREADS))


async def _rounds(
    seed: int, seconds: float, only: Collection[str], trade: Trade, damage: Damage, tell: Tell
) -> tuple[list[float], str]:
    nemesis = Nemesis(damage, seed, only)
    green: list[float] = []
    left = seconds
    while left > 0:
        length = min(ROUND_SECONDS, left)
        left -= length
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            trading = group.create_task(trade.go_on(over))
            await nemesis.rage(length)
            await nemesis.heal()
            over.set()
            healed = time.monotonic()
            await trading
        after, unsettled = await time_to_green(damage.installation, tell)
        green.append(round(time.monotonic() - healed, 1))
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
    outcome.lost, outcome.doubled = lost(evidence), doubled(evidence)
    return outcome
