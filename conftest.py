import pytest

pytest_plugins = ["till_platform.testing.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--seeds`."""
    parser.addoption("--seeds", type=int, default=60, help="how many seeds the simulator runs (default: 60)")
