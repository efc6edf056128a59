from pathlib import Path

import pytest

from till_events.contract.sample import Sample, read_sample

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """Every golden sample there is."""
    return [
        read_sample(
            path.relative_to(GOLDEN).as_posix(), path.read_bytes(), path.with_suffix(".headers.json").read_bytes()
        )
        for path in sorted(GOLDEN.rglob("*.json"))
        if not path.name.endswith(".headers.json")
    ]
