"""How contenders are compared: in turns, in one run, each checked, and judged by ratios of the same round.

The machines this runs on are noisy, so that a rate alone says little; the ratio of two contenders in one round says more, and how it
spreads over the rounds says how much. A round's order is another one each time, so that nobody is always behind the same neighbour.
"""

import random
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from till_platform.testing.infra import Infra

RESAMPLES = 10_000


@dataclass(frozen=True)
class Sample:
    """What one contender did in one round: how much, in which time, at which cost. `facts` are kept beside it, raw."""

    amount: int
    seconds: float
    cpu_seconds: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """How much was done in a second."""
        return self.amount / self.seconds


class Wrong(Exception):
    """A contender's result is not what the oracle says: its time does not count."""


@dataclass(frozen=True)
class Contender:
    """Somebody who does the job. `guarantee` is what holds after a crash: a looser one is not compared in silence.

    `run` does it once and raises `Wrong` if the result is.
    """

    name: str
    guarantee: str
    run: Callable[[], Sample]
    configuration: str = "default"


@dataclass(frozen=True)
class Claim:
    """The lower end of the interval of ours over theirs is to reach `at_least`. Ours is the first contender, or the one named by `of`."""

    against: str
    at_least: float
    of: str | None = None


@dataclass(frozen=True)
class Bound:
    """A fact of our own samples is to stay at or below `at_most` in the median of the rounds."""

    fact: str
    at_most: float


@dataclass(frozen=True)
class Contest:
    """One benchmark: a job, who does it, and what we claim. The first contender is ours."""

    title: str
    unit: str
    contenders: Sequence[Contender]
    claims: Sequence[Claim]
    bounds: Sequence[Bound] = ()


Open = Callable[[Infra], AbstractContextManager[Contest]]
"""A benchmark makes what all its contenders need, and clears it away."""


@dataclass
class Outcome:
    """All samples by contender and round, and what went wrong. None stands where a contender failed."""

    contest: Contest
    samples: dict[str, list[Sample | None]]
    failures: dict[str, str]

    def ratio(self, against: str, of: str | None = None) -> tuple[float, float, float] | None:
        """Return the median of ours over theirs and its bootstrap interval of 95 %; None if they never met."""
        ours, theirs = self.samples[of or self.contest.contenders[0].name], self.samples[against]
        pairs = [mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True) if mine and other]
        return interval(pairs) if pairs else None

    def fact(self, name: str) -> tuple[float, float, float] | None:
        """Return the median, least and greatest value of a fact of ours."""
        seen = [sample.facts[name] for sample in self.samples[self.contest.contenders[0].name] if sample]
        return (statistics.median(seen), min(seen), max(seen)) if seen else None

    def rate(self, name: str) -> tuple[float, float, float] | None:
        """Return the median, least and greatest rate of a contender."""
        rates = [sample.rate for sample in self.samples[name] if sample]
        return (statistics.median(rates), min(rates), max(rates)) if rates else None


def interval(values: Sequence[float], seed: int = 1) -> tuple[float, float, float]:
    """Return the median and the bootstrap interval of 95 % of the median."""
    chance = random.Random(seed)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return statistics.median(values), medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975) - 1]


def run(contest: Contest, rounds: int, tell: Callable[[str], None]) -> Outcome:
    """Let everybody do the job `rounds` times, after one time that does not count. Who fails is out, and the failure is kept."""
    outcome = Outcome(contest, {one.name: [] for one in contest.contenders}, {})
    chance = random.Random(7)
    for number in range(rounds + 1):
        for contender in chance.sample(contest.contenders, len(contest.contenders)):
            sample = None
            if contender.name not in outcome.failures:
                try:
                    sample = contender.run()
                except Exception as error:  # noqa: BLE001 - a peer may fail in any way; it is reported
                    outcome.failures[contender.name] = f"{type(error).__name__}: {error}"[:2000]
                    tell(f"{contender.name}: {outcome.failures[contender.name]}")
            if number:
                outcome.samples[contender.name].append(sample)
            if sample:
                what = f"round {number}" if number else "warming up"
                tell(
                    f"{what}: {contender.name:44} {number_of(sample.rate):>12} {contest.unit} {facts_of(sample)}".rstrip()
                )
    return outcome


def say(line: str) -> None:
    """Tell whoever waits that something goes on, before and between the rounds."""
    sys.stderr.write(f"  {line}\n")


def number_of(value: float) -> str:
    """Return a number with as many places as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def facts_of(sample: Sample) -> str:
    """Return what was noted beside a sample, in a line."""
    return ", ".join(
        f"{name} {number_of(value)}" for name, value in sample.facts.items() if isinstance(value, int | float)
    )
