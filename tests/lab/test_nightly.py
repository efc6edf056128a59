"""A night of seeds goes on where it was, and its figures are those of all runs."""

from faultlab.lab.nightly import at, read_runs, summary


def test_a_line_that_a_kill_cut_short_counts_for_nothing(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"seed": 1, "acknowledged": 5}\n{"seed": 2, "ackno')
    assert read_runs(path) == [{"seed": 1, "acknowledged": 5}]
    assert read_runs(tmp_path / "none.jsonl") == []


def test_percentiles_are_of_what_was_measured():
    assert (at([1.0, 2.0, 3.0, 4.0], 50), at([1.0, 2.0, 3.0, 4.0], 99), at([], 50)) == (2.0, 4.0, 0.0)


def test_the_summary_adds_up():
    one = {
        "acknowledged": 10,
        "lost": 0,
        "doubled": 0,
        "fenced": 1,
        "delivered_again": 2,
        "dropped": 3,
        "green": [2.0, 1.0],
    }
    told = summary([one, one])
    assert told.startswith("2 runs: 20 acknowledged, 0 lost, 0 doubled, 2 fenced, 4 delivered again, 6 dropped")
    assert told.endswith("green after p50 1.0 p99 2.0 max 2.0 s")
