"""The lab on real parts, as short as it shows anything: what every change has to pass."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
FAULTS = "F1,F5,F10,F12,F17"


def test_a_chain_under_a_handful_of_faults_breaks_no_invariant(tmp_path):
    command = [sys.executable, "-m", "faultlab.lab", "--directory", str(tmp_path / "lab")]
    command += ["--seed", "1", "--seconds", "12", "--faults", FAULTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr[-5_000:]
    assert "0 lost" in done.stdout
