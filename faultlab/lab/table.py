"""The figures of many runs, as the page about faults shows them."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any


def table(runs: Collection[dict[str, Any]]) -> list[str]:
    """Return the lines of a Markdown table; percentiles are of the moments when all was green again after healing."""
    green = sorted(one for run in runs for one in run["green"])
    total = {name: sum(run[name] for run in runs) for name in _SUMS}
    rows = {
        "seeds, minutes": f"{len(runs)}, {sum(run['seconds'] for run in runs) / 60:.0f}",
        "commands acknowledged": f"{total['acknowledged']:,}",
        "of these lost": f"{total['lost']:,}",
        "commands whose fate their till never learnt": f"{total['unknown']:,}",
        "events in the logs": f"{total['events']:,}",
        "effects doubled (points, redemptions, messages)": f"{total['doubled']:,}",
        "batches of zombies fenced": f"{total['fenced']:,}",
        "records published again": f"{total['delivered_again']:,}",
        "records delivered again and dropped, by all consumers": f"{total['dropped']:,}",
        "seeds that broke an invariant": f"{sum(bool(run['broken']) for run in runs):,}",
        "green after healing: p50, p99, longest": f"{at(green, 50):.1f} s, {at(green, 99):.1f} s, {at(green, 100):.1f} s",
        "faults": _counted(run["faults"] for run in runs),
        "instances killed": _counted(run["kills"] for run in runs),
    }
    return ["| figure | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


_SUMS = ("acknowledged", "lost", "unknown", "events", "doubled", "fenced", "delivered_again", "dropped")


def _counted(each: Any) -> str:
    sums: Counter[str] = Counter()
    for counts in each:
        sums.update(counts)
    return ", ".join(f"{name} {number:,}" for name, number in sorted(sums.items(), key=_in_order) if number)


def _in_order(item: tuple[str, int]) -> tuple[int, str]:
    name, _ = item
    return (int(name[1:]) if name[1:].isdigit() else 0, name)


def at(values: Sequence[float], percent: int) -> float:
    """Return the smallest of sorted values that so many percent do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else 0.0
