"""`make bench ONLY=B1,B4`: the benchmarks, each in turns with its peers; raw samples go to `bench/results`."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from contest import Open, Outcome, number_of, run
from rich.console import Console
from rich.table import Table
from stack import machine

from till_platform.testing.infra import KINDS, provide

BENCHMARKS = {
    "B1": "append",
    "B2": "commands",
    "B3": "relaying",
    "B4": "catch_up",
    "B5": "end_to_end",
    "B6": "replay",
    "B7": "at_a_time",
    "B8": "hot_key",
    "B9": "safeties",
    "B10": "killed",
    "B11": "backlog",
}
FULL_ROUNDS = 7
"""Fewer are a trial: its samples are shown and not kept."""


def main() -> int:
    chosen = options(str(__doc__), BENCHMARKS)
    benchmarks = ((number, import_module(BENCHMARKS[number]).open_contest) for number in chosen.only.split(","))
    return ended(chosen, measure(chosen, benchmarks))


def options(what: str, benchmarks: Iterable[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--only", default=",".join(benchmarks), help="e.g. B1,B4")
    parser.add_argument("--rounds", type=int, default=FULL_ROUNDS)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--infra", choices=KINDS, default="auto")
    return parser.parse_args()


def measure(chosen: argparse.Namespace, benchmarks: Iterable[tuple[str, Open]]) -> list[dict[str, Any]]:
    """Run one contest after the other on one stack; show and keep what each showed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped, whoever ends us
    screen, reports = Console(stderr=True), []
    with tempfile.TemporaryDirectory(prefix="till-bench-") as folder, provide(chosen.infra, Path(folder)) as infra:
        for number, opened in benchmarks:
            screen.print(f"[bold]{number}[/bold]")
            about = machine()
            with opened(infra) as contest:
                outcome = run(contest, chosen.rounds, lambda line: screen.print(line, highlight=False))
            report = report_of(number, outcome, about)
            if chosen.rounds >= FULL_ROUNDS:
                keep(number, report)
            reports.append(report)
            if not chosen.json:
                Console().print(table_of(number, report))
    return reports


def ended(chosen: argparse.Namespace, reports: list[dict[str, Any]]) -> int:
    """Print all as JSON if that was asked for; return 0 if every goal was reached."""
    if chosen.json:
        print(json.dumps(reports, indent=2))
    return 0 if all(claim["met"] for report in reports for claim in [*report["claims"], *report["bounds"]]) else 1


def report_of(number: str, outcome: Outcome, about: dict[str, Any]) -> dict[str, Any]:
    """Return everything that was seen, raw samples included."""
    contest = outcome.contest
    ours = contest.contenders[0].name
    return {
        "benchmark": number,
        "title": contest.title,
        "unit": contest.unit,
        "machine": about,
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "contenders": [
            {
                "name": one.name,
                "guarantee": one.guarantee,
                "configuration": one.configuration,
                "rate": outcome.rate(one.name),
                "ours_to_theirs": None if one.name == ours else outcome.ratio(one.name),
                "failure": outcome.failures.get(one.name),
                "samples": [sample and asdict(sample) for sample in outcome.samples[one.name]],
            }
            for one in contest.contenders
        ],
        "claims": [
            {
                "of": claim.of or ours,
                "against": claim.against,
                "at_least": claim.at_least,
                "interval": (found := outcome.ratio(claim.against, claim.of)),
                "met": found is not None and found[1] >= claim.at_least,
            }
            for claim in contest.claims
        ],
        "bounds": [
            {
                "fact": bound.fact,
                "at_most": bound.at_most,
                "seen": (seen := outcome.fact(bound.fact)),
                "met": seen is not None and seen[0] <= bound.at_most,
            }
            for bound in contest.bounds
        ],
    }


def table_of(number: str, report: dict[str, Any]) -> Table:
    table = Table(title=f"{number}: {report['title']}")
    for column in ("who", "guarantee", f"{report['unit']}: median", "least to greatest", "ours / theirs, 95 %", "goal"):
        table.add_column(column)
    ours = report["contenders"][0]["name"]
    goals = {claim["against"]: claim for claim in report["claims"] if claim["of"] == ours}
    for one in report["contenders"]:
        rate, ratio, goal = one["rate"], one["ours_to_theirs"], goals.get(one["name"])
        table.add_row(
            one["name"],
            one["guarantee"],
            number_of(rate[0]) if rate else "FAILED",
            f"{number_of(rate[1])} to {number_of(rate[2])}" if rate else (one["failure"] or "")[:60],
            f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})" if ratio else "",
            f">= {goal['at_least']:g}: {'met' if goal['met'] else 'NOT met'}" if goal else "",
        )
    for bound in report["bounds"]:
        met = "met" if bound["met"] else "NOT met"
        seen = "{:.1f} ({:.1f} to {:.1f})".format(*bound["seen"]) if bound["seen"] else "FAILED"
        table.add_row(bound["fact"], "", "", "", seen, f"<= {bound['at_most']:g}: {met}")
    for claim in report["claims"]:
        if claim["of"] != ours:
            found = claim["interval"]
            shown = f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})" if found else ""
            met = "met" if claim["met"] else "NOT met"
            table.add_row(f"{claim['of']} / {claim['against']}", "", "", "", shown, f">= {claim['at_least']:g}: {met}")
    return table


def keep(number: str, report: dict[str, Any]) -> None:
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{number}-{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    sys.exit(main())
