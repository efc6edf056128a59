"""What was measured last, as the table that the README shows: `python bench/measured.py`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contest import number_of

RESULTS = Path(__file__).parent / "results"
HEAD = ["| id | ours | against | median of the ratio, 95 % | goal |", "|---|---|---|---|---|"]


def latest(results: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the last result of each benchmark; only runs of seven rounds or more are kept at all."""
    last: dict[str, Path] = {}
    for path in sorted(results.glob("B*-*.json")):
        last[path.stem.partition("-")[0]] = path
    return [json.loads(last[name].read_text()) for name in sorted(last, key=lambda name: int(name[1:]))]


def table(results: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a Markdown table: what is judged, and by which end of its interval."""
    return [*HEAD, *(line for result in results for line in _lines(result))]


def _lines(result: dict[str, Any]) -> Iterator[str]:
    rates = {one["name"]: one["rate"] for one in result["contenders"]}
    named, unit = result["benchmark"], result["unit"]
    for claim in result["claims"]:
        of, against = (_rate(rates[claim[side]], unit) for side in ("of", "against"))
        who = "" if claim["of"] == "tillstream" else f"{claim['of']}: "
        ratio = claim["interval"]
        found = "failed" if ratio is None else f"{ratio[0]:.2f} (**{ratio[1]:.2f}** to {ratio[2]:.2f})"
        goal = f"≥ {claim['at_least']:g}: {_word(claim)}"
        yield f"| {named} | {who}{of} | {claim['against']}: {against} | {found} | {goal} |"
    for bound in result["bounds"]:
        seen = bound["seen"]
        found = "failed" if seen is None else f"**{seen[0]:.3g}** ({seen[1]:.3g} to {seen[2]:.3g})"
        yield f"| {named} | | {bound['fact']} | {found} | ≤ {bound['at_most']:g}: {_word(bound)} |"


def _rate(rate: list[float] | None, unit: str) -> str:
    return "failed" if rate is None else f"{number_of(rate[0])} {unit}"


def _word(judged: dict[str, Any]) -> str:
    return "met" if judged["met"] else "NOT met"


if __name__ == "__main__":
    print("\n".join(table(latest())))
