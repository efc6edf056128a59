"""What the tests of the files in deploy/ share."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """Find one of the programs in .venv-deploy. Without them these tests are skipped, and say so."""

    def find(name: str) -> Path:
        found = ROOT / ".venv-deploy" / "bin" / name
        if not found.exists():
            pytest.skip(f"{name} is not here: `make deploy-tools` brings it")
        return found

    return find
