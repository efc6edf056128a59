"""Makes `.venv` hold exactly what `requirements.lock` names, and this repository's own packages; does nothing when it already does."""

# No newer syntax than old Pythons can read, so that they get to the line that says which one is needed.
from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "setup.stamp"
OLDEST = (3, 11)


def main() -> None:
    if sys.version_info < OLDEST:
        fail(
            f"Python 3.11 or newer is needed, this is {sys.version_info[0]}.{sys.version_info[1]}",
            "install one and run `make setup PYTHON=python3.12`",
        )
    members = sorted(file.parent for folder in ("libs", "services") for file in ROOT.glob(folder + "/*/pyproject.toml"))
    wanted = fingerprint(members)
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    STAMP.unlink(missing_ok=True)
    say("making .venv" if not PYTHON.exists() else "bringing .venv up to date")
    if not PYTHON.exists():
        make_venv()
    uv = find_uv()
    install = [uv, "pip", "install", "--python", str(PYTHON), "--no-deps"]
    # Compiled once here, or each of the many processes of a demo and of the tests does it, where nothing may be written later.
    run(
        [*install, "--compile-bytecode", "--require-hashes", "-r", str(LOCK)],
        "the locked packages could not be installed",
    )
    editable = [word for member in members for word in ("-e", str(member))]
    run([*install, "--no-build-isolation", *editable], "the packages of this repository could not be installed")
    drop_removed_members(uv, members)
    STAMP.write_text(wanted)


def fingerprint(members: list[Path]) -> str:
    """Changes with the lock, with any member's own settings, and with the interpreter of the environment."""
    digest = hashlib.sha256()
    for file in (LOCK, *(member / "pyproject.toml" for member in members)):
        digest.update(str(file).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def make_venv() -> None:
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    uv = shutil.which("uv")
    if uv is None:
        fail(
            "this Python cannot make a virtual environment",
            "install its venv module (on Debian and Ubuntu: python3-venv)",
        )
    run([uv, "venv", "--quiet", "--python", sys.executable, str(VENV)], "no virtual environment could be made")


def find_uv() -> str:
    """The uv the lock names, fetched with pip and checked by its hash like everything else; a uv that is here already will do."""
    own = VENV / "bin" / "uv"
    if own.exists():
        return str(own)
    has_pip = subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    if not has_pip:
        return shutil.which("uv") or fail(
            "there is neither pip in .venv nor uv on the path", "delete .venv and run `make setup` again"
        )
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
        only_uv.write(locked("uv"))
        only_uv.flush()
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*pip, "--require-hashes", "-r", only_uv.name], "uv could not be fetched")
    return str(own)


def locked(name: str) -> str:
    """The lines of the lock that belong to one package."""
    lines = LOCK.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(name + "=="))
    end = next(number for number in range(start, len(lines)) if not lines[number].endswith("\\"))
    return "\n".join(lines[start : end + 1]) + "\n"


def drop_removed_members(uv: str, members: list[Path]) -> None:
    """A service whose folder was deleted is not installed any longer either."""
    listed = subprocess.run(
        [uv, "pip", "list", "--python", str(PYTHON), "--editable", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    gone = [
        entry["name"] for entry in json.loads(listed.stdout) if Path(entry["editable_project_location"]) not in members
    ]
    if gone:
        run([uv, "pip", "uninstall", "--python", str(PYTHON), *gone], "a removed package could not be uninstalled")


def run(command: list[str], otherwise: str) -> None:
    if subprocess.run(command, check=False, cwd=ROOT).returncode != 0:
        fail(otherwise, "the lines above say why; run `make setup` again when that is mended")


def say(line: str) -> None:
    print("setup: " + line, file=sys.stderr, flush=True)


def fail(problem: str, remedy: str) -> NoReturn:
    say(f"{problem}: {remedy}")
    sys.exit(1)


if __name__ == "__main__":
    main()
