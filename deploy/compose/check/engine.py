"""A Docker engine for the check: the one that answers, or one of our own from Debian's packages, with its files in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DOCKER = "/usr/bin/docker"
COMPOSE = "/usr/bin/docker-compose"
PACKAGES = {
    DOCKER: "docker.io",
    COMPOSE: "docker-compose",
    "/usr/sbin/debootstrap": "debootstrap",
    "/usr/sbin/iptables": "iptables",
}


def why_not() -> str | None:
    """Return why no engine can be started here."""
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        return "this is not a Debian"
    return None if os.geteuid() == 0 else "only root may start a Docker engine"


def install() -> None:
    missing = [package for program, package in PACKAGES.items() if not Path(program).exists()]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def engine(home: Path) -> Iterator[dict[str, str]]:
    """Yield the environment in which docker and docker-compose reach an engine; one that was started here is stopped in the end."""
    if _answers(dict(os.environ)):
        yield dict(os.environ)
        return
    home.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{home}/docker.sock"}
    command = [
        "/usr/sbin/dockerd",
        f"--host=unix://{home}/docker.sock",
        f"--data-root={home}/data",
        f"--exec-root={home}/exec",
        f"--pidfile={home}/docker.pid",
        "--bip=10.213.0.1/24",
        "--default-address-pool=base=10.214.0.0/16,size=24",
    ]
    with (home / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not _answers(environment):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the Docker engine does not start: see {home}/dockerd.log")
            time.sleep(0.5)
        yield environment
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=120)


def _answers(environment: dict[str, str]) -> bool:
    return subprocess.run([DOCKER, "info"], check=False, capture_output=True, env=environment).returncode == 0
