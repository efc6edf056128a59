"""Our own code under ten thousand seeds of faults, on a model of Kafka, PostgreSQL and time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faultlab.simulation.many import many
from faultlab.simulation.nemesis import Nemesis
from faultlab.simulation.oracle import INVARIANTS
from faultlab.simulation.run import run

ENOUGH_TO_SEE_ALL = 1000
ROOT = Path(__file__).resolve().parents[2]


def kinds():
    """Every kind of fault there is."""
    return set(Nemesis.KINDS)


@pytest.mark.timeout(1800)
def test_no_seed_of_faults_breaks_an_invariant(request, capsys):
    seeds = request.config.getoption("--seeds")
    found = many(range(seeds))
    with capsys.disabled():
        sys.stdout.write(f"\n{found.told()}\n")
    assert found.seeds == seeds
    assert found.broken == {}, found.told()
    if seeds < ENOUGH_TO_SEE_ALL:
        return
    assert set(found.faults) == kinds()
    assert min(found.faults.values()) > seeds / 50
    assert found.counts["fenced"] > 0
    assert found.counts["repeats suppressed"] > 0
    assert found.counts["batches again"] > 0


def timeline(seed, hash_seed):
    """The timeline of a seed, from an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-m", "faultlab.simulation", "--seed", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=False,
    ).stdout


def test_one_seed_gives_one_timeline_byte_for_byte():
    first = timeline(3, "1")
    assert first.count(b"\n") > 10
    assert timeline(3, "2") == first
    assert timeline(4, "1") != first


def test_a_seed_gives_the_same_timeline_after_others_have_run():
    first = run(8).told()
    run(9)
    assert run(8).told() == first


def test_every_invariant_is_said_in_words_on_the_page():
    page = (ROOT / "docs" / "faults.md").read_text()
    for name, sentence in INVARIANTS.items():
        assert f"| {name} | {sentence} |" in page
