"""The year of the Complete Journey through all five services: seconds per stage, CPU seconds and peak memory per process.

`make bench-year`; `WEEKS=4 make bench-year` for a part, `YEARS=3` for three years one after the other. To reach, on two cores: 180 s from
the first receipt of a year to the last read model caught up, 250 MB for each service and 1 GB for all five together; then 30 s to build all
read models anew from the first event, those of all services at once.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from stack import Costs, fresh_stack, machine

from tillstream.attached import Attached
from tillstream.demo.dataset import Dataset
from tillstream.demo.importing import import_history
from tillstream.demo.totals import totals
from tillstream.standing import wait_until_caught_up

LIMIT_SECONDS, REPLAY_SECONDS = 180, 30
LIMIT_MB, LIMIT_MB_TOGETHER = 250, 1_000


class Years(Dataset):
    """The year told several times: the same people, shops and goods, other receipts, 52 weeks earlier each time."""

    def __init__(self, years: int, weeks: int | None, *, today: date) -> None:
        super().__init__(weeks, today=today)
        earlier = (
            self.rows.with_columns(pl.col("at") - timedelta(weeks=52 * year), pl.col("basket_id") + year * 10**11)
            for year in range(years)
        )
        self.rows = pl.concat(earlier).sort("at", "basket_id", "product_id")


def main() -> int:
    weeks, years = os.environ.get("WEEKS", "all"), int(os.environ.get("YEARS", "1"))
    about = machine()
    data = Years(years, None if weeks == "all" else int(weeks), today=datetime.now(UTC).date())
    with fresh_stack() as attached:
        costs = Costs(attached)
        ended: dict[str, float] = {}

        def tell(what: str, done: int, total: int) -> None:
            now = time.monotonic()
            ended[what] = now
            if done == total or now - shown.get(what, 0) > 5:
                shown[what] = now
                print(f"{what:>12} {done:>9,} of {total:,}", file=sys.stderr, flush=True)

        shown: dict[str, float] = {}
        started = time.monotonic()
        import_history(attached, data, tell)
        imported = time.monotonic()
        standing = wait_until_caught_up(attached)
        caught_up = time.monotonic()
        costs.end()
        replay = replayed(attached)
        known = totals(attached, data.last_day)
    agree = all((t.sales_minor, t.receipts) == (data.sales_minor, data.receipts_count) for t in known)
    receipts_started = ended["customers"]
    result: dict[str, Any] = {
        "machine": about,
        "weeks": weeks,
        "years": years,
        "receipts": data.receipts_count,
        "lines": data.lines_count,
        "events": sum(standing.recorded.values()),
        "agrees_to_the_cent": agree,
        "seconds": {
            "stores": round(ended["stores"] - started, 1),
            "products": round(ended["products"] - ended["stores"], 1),
            "customers": round(ended["customers"] - ended["products"], 1),
            "receipts_accepted": round(imported - receipts_started, 1),
            "receipts_to_caught_up": round(caught_up - receipts_started, 1),
            "all": round(caught_up - started, 1),
            "replay": replay,
        },
        "cpu_seconds": costs.cpu_seconds,
        "peak_mb": costs.peak_mb,
        "peak_mb_of_all_services_together": costs.peak_services_mb,
    }
    print(json.dumps(result, indent=2))
    folder = Path(__file__).parent / "results"
    what = f"year-{weeks}" if years == 1 else f"year-{weeks}-times-{years}"
    (folder / f"{what}-{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(json.dumps(result, indent=2) + "\n")
    kept = judged(result, attached.services)
    print("; ".join(f"{what}: {'yes' if true else 'NO'}" for what, true in kept.items()), file=sys.stderr)
    return 0 if agree else 1


def judged(result: dict[str, Any], services: Sequence[str]) -> dict[str, bool]:
    """Return by limit whether it was kept."""
    seconds, years = result["seconds"], result["years"]
    return {
        f"{LIMIT_SECONDS * years} s": seconds["receipts_to_caught_up"] <= LIMIT_SECONDS * years,
        f"{LIMIT_MB} MB each": all(result["peak_mb"][name] <= LIMIT_MB for name in services),
        f"{LIMIT_MB_TOGETHER} MB together": result["peak_mb_of_all_services_together"] <= LIMIT_MB_TOGETHER,
        f"replay in {REPLAY_SECONDS * years} s": max(seconds["replay"].values()) <= REPLAY_SECONDS * years,
        "agrees to the cent": result["agrees_to_the_cent"],
    }


def replayed(attached: Attached) -> dict[str, float]:
    """Build all read models of all services anew at once, and swap them in; return after how many seconds each service was done."""
    started, took = time.monotonic(), {}
    options = ["--all", "--json", "--data-dir", str(attached.directory.path)]
    left = {
        service: subprocess.Popen(
            [Path(sys.executable).parent / "till", "projections", "rebuild", service, *options],
            stdout=subprocess.DEVNULL,
        )
        for service in attached.services
    }
    while left:
        for service in [service for service, process in left.items() if process.poll() is not None]:
            took[service] = round(time.monotonic() - started, 1)
            if status := left.pop(service).returncode:
                raise SystemExit(f"the read models of {service} were not built anew: {status}")
            print(f"{service:>12} built anew after {took[service]} s", file=sys.stderr, flush=True)
        time.sleep(0.05)
    return took


if __name__ == "__main__":
    raise SystemExit(main())
