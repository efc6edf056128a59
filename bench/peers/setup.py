"""Makes `.venv-peers` hold the peers, each package by version and hash. They need other versions than we do, and 1.5 GB."""

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-peers"
LOCK = Path(__file__).with_name("requirements.txt")
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "setup.stamp"
UV = [str(ROOT / ".venv" / "bin" / "uv"), "--no-config"]  # our own settings leave packages out that some peers need


def peers() -> Path:
    """Return the Python that has the peers; the first time they are fetched."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not STAMP.exists() or STAMP.read_text() != wanted:
        if not PYTHON.exists():
            subprocess.run([*UV, "venv", "--quiet", str(VENV)], check=True)
        install = [*UV, "pip", "install", "--python", str(PYTHON), "--require-hashes", "-r", str(LOCK)]
        subprocess.run(install, check=True)
        STAMP.write_text(wanted)
    return PYTHON


if __name__ == "__main__":
    peers()
