"""A night of seeds goes on where it was, and its figures are those of all runs."""

import itertools
from pathlib import Path

import pytest
from faultlab.lab.nightly import line_of, next_seed, read_runs
from faultlab.lab.run import Outcome
from faultlab.lab.table import at, table

ROOT = Path(__file__).resolve().parents[2]


def outcome(**more):
    shared = {"acknowledged": 1_000, "fenced": 1, "delivered_again": 2, "dropped": 3, "green": [2.0, 1.0]}
    return Outcome(7, 60.0, {"F10": 2, "F2": 1}, kills={"order": 3}, timeline=[(1.0, "F2", "x")], **shared, **more)


def test_a_line_that_a_kill_cut_short_counts_for_nothing(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"seed": 1, "acknowledged": 5}\n{"seed": 2, "ackno')
    assert read_runs(path) == [{"seed": 1, "acknowledged": 5}]
    assert read_runs(tmp_path / "none.jsonl") == []


def test_a_night_goes_on_with_the_first_seed_that_is_missing():
    assert next_seed([]) == 1
    assert next_seed([{"seed": 1}, {"seed": 2}]) == 3
    assert next_seed([{"seed": 1}, {"seed": 3}]) == 2


def test_of_a_run_that_broke_something_the_timeline_is_kept():
    assert "timeline" not in line_of(outcome())
    assert line_of(outcome(broken={"I1": "lost"}))["timeline"] == [(1.0, "F2", "x")]


def test_percentiles_are_of_what_was_measured():
    assert (at([1.0, 2.0, 3.0, 4.0], 50), at([1.0, 2.0, 3.0, 4.0], 99), at([], 50)) == (2.0, 4.0, 0.0)


def test_the_table_adds_up():
    told = table([line_of(outcome()), line_of(outcome(lost=1, broken={"I1": "lost"}))])
    assert "| seeds, minutes | 2, 2 |" in told
    assert "| commands acknowledged | 2,000 |" in told
    assert "| of these lost | 1 |" in told
    assert "| batches of zombies fenced | 2 |" in told
    assert "| seeds that broke an invariant | 1 |" in told
    assert "| green after healing: p50, p99, longest | 1.0 s, 2.0 s, 2.0 s |" in told
    assert "| faults | F2 2, F10 4 |" in told
    assert "| instances killed | order 6 |" in told


PAGE, README = (ROOT / name for name in ("docs/faults.md", "README.md"))


@pytest.mark.parametrize("line", table(read_runs(ROOT / "faultlab/results/nightly.jsonl")))
def test_the_page_shows_what_the_nights_showed(line):
    assert line in PAGE.read_text().splitlines()


def test_the_first_page_shows_some_of_it():
    first, whole = README.read_text().splitlines(), PAGE.read_text().splitlines()
    begin = first.index("| under faults on real parts | |")
    shown = list(itertools.takewhile(lambda line: line.startswith("|"), first[begin + 2 :]))
    assert len(shown) > 5
    assert set(shown) <= set(whole)
