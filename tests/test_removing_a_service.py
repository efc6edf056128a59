"""Any service can be left out: the others import, describe themselves, and their rules hold."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVICES = sorted(folder.name for folder in (ROOT / "services").iterdir() if (folder / "pyproject.toml").exists())
WITHOUT = """
import sys
sys.modules["till_{removed}"] = None  # as if it were not installed: importing it raises ImportError
"""
DESCRIBE = """
from importlib import import_module
from till_platform.service import asyncapi, openapi
for name in {others}:
    service = import_module(f"till_{{name}}.wiring").service()
    assert openapi(service)["paths"], name
    assert asyncapi(service)["channels"], name
import tillstream.main
"""
TEST = """
import pytest
raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not integration", {folder!r}]))
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("removed", SERVICES)
def test_without_one_service_the_others_stand(removed):
    others = [name for name in SERVICES if name != removed]
    program = WITHOUT.format(removed=removed) + DESCRIBE.format(others=others)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("removed", "kept"), list(zip(SERVICES, SERVICES[1:] + SERVICES[:1], strict=True)))
def test_without_one_service_the_rules_of_its_neighbour_hold(removed, kept):
    program = WITHOUT.format(removed=removed) + TEST.format(folder=f"services/{kept}/tests/domain")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_control_with_its_own_package_missing_a_service_does_not_stand():
    program = WITHOUT.format(removed="order") + DESCRIBE.format(others=["order"])
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
