"""Makes `.venv-deploy` hold what `deploy/checks.lock` names: the programs that look at the files in deploy/. Nobody else needs them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-deploy"
LOCK = ROOT / "deploy" / "checks.lock"
STAMP = VENV / "setup.stamp"
UV = ROOT / ".venv" / "bin" / "uv"  # `make setup` came first


def main() -> None:
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("setup: bringing .venv-deploy up to date", file=sys.stderr, flush=True)
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, VENV], check=True)
    subprocess.run(
        [UV, "pip", "sync", "--quiet", "--python", python, "--require-hashes", LOCK],
        check=True,
    )
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()
