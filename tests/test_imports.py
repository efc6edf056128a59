"""Services know each other by events only: the contract in pyproject.toml holds, and would be seen to be broken."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINT, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.timeout(120)
def test_no_service_imports_another():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout[-3000:]


def chain_in(folder: Path, **imports: str) -> Path:
    """Write a package for each service, under the contract that ours are held to; `imports` is what is planted in one of them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (one for one in settings["contracts"] if one["type"] == "independence")
    lines = [f"root_packages = {contract['modules']}", "[[tool.importlinter.contracts]]"]
    lines += [f"{name} = {value!r}" for name, value in contract.items()]
    (folder / "pyproject.toml").write_text("\n".join(["[tool.importlinter]", *lines]))
    for name in contract["modules"]:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(imports.get(name, ""))
    return folder


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("planted", "kept"),
    [
        ({}, True),
        ({"till_loyalty": "import till_order"}, False),
        ({"till_order": "def late() -> None:\n    from till_customer import anything"}, False),
    ],
)
def test_control_an_import_that_is_planted_breaks_the_contract(tmp_path, planted, kept):
    done = lint(chain_in(tmp_path, **planted))
    assert ("1 kept" in done.stdout) is kept, done.stdout + done.stderr
    assert ("1 broken" in done.stdout) is not kept
