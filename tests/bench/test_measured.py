from pathlib import Path

import pytest
from measured import latest, table

README = Path(__file__).parents[2] / "bench" / "README.md"
RESULT = {
    "benchmark": "B1",
    "unit": "events/s",
    "contenders": [{"name": "tillstream", "rate": [2000.0, 1.0, 2.0]}, {"name": "other", "rate": None}],
    "claims": [{"of": "tillstream", "against": "other", "at_least": 2, "interval": None, "met": False}],
    "bounds": [{"fact": "p99_ms", "at_most": 25, "seen": [20.0, 10.0, 30.0], "met": True}],
}


def test_who_failed_is_shown_as_failed_and_a_bound_by_its_median():
    assert table([RESULT])[2:] == [
        "| B1 | 2,000 events/s | other: failed | failed | ≥ 2: NOT met |",
        "| B1 | | p99_ms | **20** (10 to 30) | ≤ 25: met |",
    ]


def test_the_last_result_of_each_benchmark_counts(tmp_path):
    for name in ("B1-20261101T000000", "B1-20261102T000000", "B10-20261101T000000"):
        (tmp_path / f"{name}.json").write_text(f'"{name}"')
    assert latest(tmp_path) == ["B1-20261102T000000", "B10-20261101T000000"]


@pytest.mark.parametrize("line", table(latest()))
def test_the_readme_shows_what_was_measured_last(line):
    assert line in README.read_text().splitlines()
