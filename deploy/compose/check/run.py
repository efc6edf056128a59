"""`make compose-check`: builds the image, brings compose.yaml up, sells 1,000 receipts, kills containers, and looks whether all agree.

Needs root on Debian, since it starts a Docker engine of its own where none answers; elsewhere it says that it is skipped. Images that it
makes are kept in /var/tmp/tillstream-compose-check for the next time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import base_images
import httpx2
from engine import COMPOSE, DOCKER, engine, install, why_not

from till_platform.audit.keys import SigningKey
from till_platform.local.ports import Ports
from till_platform.testing.running import AUDIENCE, ISSUER, Issuer, eventually
from tillstream.demo.dataset import Dataset
from tillstream.demo.importing import import_history

ROOT = Path(__file__).resolve().parents[3]
HOME = Path("/var/tmp/tillstream-compose-check")
PROJECT = "tillstreamcheck"
SERVICES = ("order", "customer", "loyalty", "notification", "analytics")
PARTS = ("api", "worker", "relay")
RECEIPTS = 1_000
PATIENCE_SECONDS = 600
BUILT_FROM = ("deploy", "libs", "services", "LICENSE", ".dockerignore")
SUMS = {
    "order": "SELECT sum(total_minor), count(*) FROM receipts.receipts",
    "customer": "SELECT sum(amount_minor), count(*) FROM timelines.entries WHERE kind = 'purchase.recorded'",
    "loyalty": "SELECT sum(spend_minor), count(*) FROM lots.lots",
    "analytics": "SELECT sum(sales_minor), sum(receipts) FROM sales.receipts",
}


class Project:
    """The containers of one `docker-compose up`, as those who import see them, and as those who run them do."""

    def __init__(self, folder: Path, environment: dict[str, str], issuer: Issuer, ports: dict[str, int]) -> None:
        self._folder = folder
        self._environment = environment
        self._issuer = issuer
        self._ports = ports

    def client(self, service: str, role: str, *, subject: str = "check") -> httpx2.Client:
        token = self._issuer.token(str(role), subject=subject)
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self._ports[service]}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def compose(self, *words: str) -> str:
        return self._run([COMPOSE, "--project-name", PROJECT, *words])

    def docker(self, *words: str) -> str:
        return self._run([DOCKER, *words])

    def containers(self) -> dict[str, dict[str, Any]]:
        ids = self.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
        found = json.loads(self.docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def healthy(self) -> bool:
        states = {name: one["State"].get("Health", {}).get("Status") for name, one in self.containers().items()}
        sick = {name: state for name, state in states.items() if state != "healthy" and name != "migrate"}
        if sick:
            raise AssertionError(f"not healthy: {sick}")
        return len(states) == len(SERVICES) * len(PARTS) + 4

    def rows(self, service: str, query: str) -> list[str]:
        postgres = self.containers()["postgres"]["Id"]
        psql = [
            "psql",
            "--username=postgres",
            f"--dbname=till_{service}",
            "--no-align",
            "--tuples-only",
            "--command",
            query,
        ]
        return self.docker("exec", postgres, *psql).split()

    def crash(self, name: str) -> None:
        """Kill a container's first process as a fault would, so that its restart policy applies."""
        os.kill(self.containers()[name]["State"]["Pid"], signal.SIGKILL)

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, check=False, capture_output=True, text=True, timeout=900
        )
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout


def main() -> None:
    reason = why_not()
    if reason:
        say(f"SKIPPED: {reason}. The compose file was not run.")
        return
    step("Docker engine", install)
    with engine(HOME) as environment:
        images = step("base images", lambda: base_images.make(HOME, environment))
        held = Ports(HOME)  # out of the range from which outgoing connections take theirs
        ports = {name: held.claim(name) for name in (*SERVICES, "kafka")}
        folder, issuer = prepared(images, ports)
        project = Project(folder, environment, issuer, ports)
        try:
            check(project)
            step("tests on containers", lambda: on_containers({**environment, **images}))
        except BaseException:
            say(project.compose("ps"))
            say(project.compose("logs", "--no-color", "--tail=20"))
            raise
        finally:
            step("down", lambda: project.compose("down", "--volumes", "--remove-orphans"))
        assert not project.containers(), "containers are left"
    say("everything agrees")


def prepared(images: dict[str, str], ports: dict[str, int]) -> tuple[Path, Issuer]:
    """Lay out what is built from, with secrets and settings of its own, and an issuer whose keys the services read from a folder."""
    tree = HOME / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "secrets", ".env"))
        else:
            shutil.copy(ROOT / name, tree / name)
    folder = tree / "deploy" / "compose"
    subprocess.run([sys.executable, folder / "prepare.py"], check=True, capture_output=True)
    keys = folder / "keys"
    keys.mkdir()
    lines = {
        **images,
        **{f"TILL_{service.upper()}_PORT": port for service, port in ports.items()},
        "TILL_IMAGE": "tillstream-check/tillstream",
        "TILL_KEYS": "./keys",
        "TILL_AUTH_ISSUER": ISSUER,
        "TILL_AUTH_AUDIENCE": AUDIENCE,
        "TILL_PARTITIONS": 6,
    }
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    return folder, Issuer(keys)


def check(project: Project) -> None:
    project.compose("down", "--volumes", "--remove-orphans")  # what a run that was killed has left
    step("the image", lambda: project.compose("build"))
    step("up", lambda: project.compose("up", "--detach", "--no-build"))
    step("healthy", lambda: eventually(project.healthy, within=PATIENCE_SECONDS, every=1))
    step("what a container may do", lambda: confined(project))
    first, second = halves()
    step("half of the receipts", lambda: import_history(project, first, lambda *_: None))  # type: ignore[arg-type]
    for name in ("order-relay", "loyalty-worker", "analytics-worker", "kafka"):
        project.crash(name)
    step("the other half, while killed containers come back", lambda: sell_on(project, second))
    project.crash("postgres")
    step(
        "everybody knows of all",
        lambda: eventually(lambda: agreed(project, first, second), within=PATIENCE_SECONDS, every=1),
    )
    step("every log is signed", lambda: eventually(lambda: signed(project), within=PATIENCE_SECONDS, every=1))
    step("healthy again", lambda: eventually(project.healthy, within=PATIENCE_SECONDS, every=1))
    restarted = {name for name, one in project.containers().items() if one["RestartCount"]}
    assert restarted >= {"order-relay", "loyalty-worker", "analytics-worker", "kafka", "postgres"}, restarted
    for service in ("loyalty", "analytics"):
        step(f"{service}'s read models against their rebuild", lambda name=service: verified(project, name))


def halves() -> tuple[Dataset, Dataset]:
    whole = Dataset(1, today=datetime.now(UTC).date())
    baskets = whole.rows["basket_id"].unique(maintain_order=True)[:RECEIPTS]
    first, second = Dataset(1, today=datetime.now(UTC).date()), whole
    first.rows = whole.rows.filter(whole.rows["basket_id"].is_in(baskets[: RECEIPTS // 2].implode()))
    second.rows = whole.rows.filter(whole.rows["basket_id"].is_in(baskets[RECEIPTS // 2 :].implode()))
    return first, second


def sell_on(project: Project, dataset: Dataset) -> None:
    """The API of order was not killed: what it is told it takes, whatever the others do."""
    import_history(project, dataset, lambda *_: None)  # type: ignore[arg-type]


def agreed(project: Project, first: Dataset, second: Dataset) -> bool:
    wanted = [f"{first.sales_minor + second.sales_minor}|{RECEIPTS}"]
    found = {service: project.rows(service, query) for service, query in SUMS.items()}
    assert found == dict.fromkeys(SUMS, wanted), f"wanted {wanted}, found {found}"
    # Notification keeps nothing of a sale: it has read as far as the topic goes, and knows everybody who bought.
    customers = {household for half in (first, second) for household, _ in half.households}
    assert project.rows("notification", "SELECT count(*) FROM contacts.contacts") == [str(len(customers))]
    ends = "SELECT sum((value ->> 0)::bigint) FROM relay_mark, jsonb_each(ends)"
    read = "SELECT sum(next_offset) FROM checkpoint WHERE topic = 'till.order'"
    assert project.rows("notification", read) == project.rows("order", ends)
    dead = {service: project.rows(service, "SELECT count(*) FROM dead_letter") for service in SERVICES}
    assert all(count == ["0"] for count in dead.values()), dead
    return True


def signed(project: Project) -> bool:
    """Every service has signed, each with the key made for it."""
    for service in SERVICES:
        own = SigningKey((HOME / f"tree/deploy/compose/secrets/audit_{service}").read_text()).public.id
        heads = f"SELECT DISTINCT convert_from(data, 'UTF8')::json ->> 'key_id' FROM log WHERE stream = 'signatures-{service}'"
        assert project.rows(service, heads) == [own], service
    return True


def confined(project: Project) -> None:
    """No root, nothing to write to, nothing to build with, and no secret in any environment."""
    found = project.containers()
    secrets = [file.read_text() for file in (HOME / "tree/deploy/compose/secrets").iterdir()]
    for name, one in found.items():
        assert not [value for value in one["Config"]["Env"] if any(secret in value for secret in secrets)], name
        assert one["HostConfig"]["Memory"], name
    worker = found["loyalty-worker"]["Id"]
    assert project.docker("exec", worker, "id", "-u").strip() == "10001"
    script = (
        "touch /app/x /x 2>/dev/null && exit 1; for tool in gcc uv pip; do command -v $tool && exit 1; done; exit 0"
    )
    project.docker("exec", worker, "sh", "-c", script)


def verified(project: Project, service: str) -> None:
    told = project.compose("run", "--rm", "--no-deps", "-T", f"{service}-worker", f"till-{service}", "verify")
    lines = [json.loads(line) for line in told.splitlines() if line.startswith('{"service"')]
    assert lines, told
    assert all(line["equal"] for line in lines), told


def on_containers(environment: dict[str, str]) -> None:
    """`make test --infra=testcontainers` starts the same images."""
    test = "services/order/tests/integration/test_order_service.py"
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--infra=testcontainers",
        "-k",
        "one_receipt_sent_twenty_times",
        test,
    ]
    quiet = {"TESTCONTAINERS_RYUK_DISABLED": "true"}
    done = subprocess.run(pytest, cwd=ROOT, env={**environment, **quiet}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "infra: testcontainers" in done.stdout, done.stdout[-3000:]


def step(name: str, work: Callable[[], Any]) -> Any:
    started = time.monotonic()
    done = work()
    say(f"{name}: {time.monotonic() - started:.1f} s")
    return done


def say(line: str) -> None:
    print(f"compose-check: {line}", flush=True)


if __name__ == "__main__":
    main()
