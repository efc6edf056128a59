"""The lab on real parts: with all defences nothing breaks, and without one it is seen. Takes minutes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]


def lab(tmp_path, *arguments):
    command = [sys.executable, "-m", "faultlab.lab", "--directory", str(tmp_path / "lab"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500, cwd=ROOT)


def test_a_chain_under_all_faults_at_once_breaks_no_invariant(tmp_path):
    done = lab(tmp_path, "--seed", "1", "--seconds", "40")
    assert done.returncode == 0, done.stdout + done.stderr[-5_000:]


@pytest.mark.parametrize(("control", "faults", "broken"), [("C2", "F5", "I8"), ("C5", "F10", "I7")])
def test_control_without_a_defence_the_lab_finds_what_it_is_there_for(tmp_path, control, faults, broken):
    done = lab(tmp_path, "--seed", "1", "--seconds", "40", "--faults", faults, "--control", control)
    assert done.returncode == 1, done.stdout + done.stderr[-5_000:]
    assert f"{broken} is broken" in done.stdout
