"""From one version to the next with both live: expand, migrate, contract. The next version of order is made here, from this one."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import httpx2
import pytest

from till_platform.testing.running import ServiceUnderTest, _free_port, eventually

from .conftest import open_store

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(180)]
STEP = "ALTER TABLE answer ADD COLUMN note text;\n"


def changed(file: Path, *replacements: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in replacements:
        assert old in text, f"{file.name} no longer says {old!r}"
        text = text.replace(old, new, 1)
    file.write_text(text)


@pytest.fixture(scope="module")
def next_version(tmp_path_factory) -> str:
    """A read model with one more column, an event with one more field, and a table of the plumbing with one more column."""
    folder = tmp_path_factory.mktemp("next")
    for package in ("till_events", "till_platform", "till_order"):
        shutil.copytree(str(files(package)), folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    country = "    country: str | None = None\n"
    changed(folder / "till_events/order.py", (country, f"{country}    motto: str | None = None\n"))
    changed(
        folder / "till_order/domain/store.py", ("country=country, occurred", "country=country, motto='open', occurred")
    )
    changed(
        folder / "till_order/projections/stores.py",
        ('"opened_at": "timestamptz NOT NULL",', '"opened_at": "timestamptz NOT NULL", "motto": "text",'),
        ('name = "stores"', 'name = "stores"\n    version = 2'),
        ("opened.occurred_at)", "opened.occurred_at, opened.motto)"),
    )
    migrations = folder / "till_platform/eventstore/migrations"
    (migrations / f"{len(list(migrations.glob('*.sql'))) + 1:04d}_note.sql").write_text(STEP)
    return str(folder)


@pytest.fixture(scope="module")
def order(chain):
    """The version before, as it runs in a cluster: each part a process of its own."""
    service = chain("order")
    for role in ("api", "worker", "relay"):
        service.start(role)
    return service


def run(service: ServiceUnderTest, version: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**service._environment, "PYTHONPATH": version}
    return subprocess.run(
        service._command(*words), env=environment, check=False, capture_output=True, text=True, timeout=120
    )


def listed(address: str | httpx2.URL, service: ServiceUnderTest) -> set[str]:
    with service.client() as client:
        return {store["store_id"] for store in client.get(f"{address}/v1/stores").json()["items"]}


def test_the_next_version_takes_over_while_this_one_serves(order, next_version):
    this_api = f"http://127.0.0.1:{order._port}"
    with order.client() as client:
        open_store(client, "before")
    eventually(lambda: listed(this_api, order) == {"before"})
    assert order.run("migrated").returncode == 0
    assert run(order, next_version, "migrated").returncode == 1

    # Expand and migrate, while the version before is live.
    done = run(order, next_version, "migrate")
    assert done.returncode == 0, done.stderr
    assert run(order, next_version, "migrated").returncode == 0

    # The API of the version before answers and accepts; its worker writes nothing into tables that are not its own any more.
    with order.client() as client:
        open_store(client, "meanwhile")
    assert "before" in listed(this_api, order)
    eventually(lambda: "Superseded" in order.log_text("worker"))
    assert order.rows("SELECT store_id, motto FROM stores.stores") == [("before", None)]

    # The worker and the API of the next version take over where it stood.
    order.kill("worker")
    order.start("worker", instance="-next", PYTHONPATH=next_version)
    eventually(lambda: listed(this_api, order) == {"before", "meanwhile"})
    port = str(_free_port())
    order.start("api", instance="-next", wait=False, PYTHONPATH=next_version, TILL_PORT=port)
    eventually(lambda: httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200)
    with order.client() as client:
        client.base_url = f"http://127.0.0.1:{port}"
        open_store(client, "after")
    eventually(lambda: ("after", "open") in order.rows("SELECT store_id, motto FROM stores.stores"))
    assert listed(this_api, order) == {"before", "meanwhile", "after"}

    verified = run(order, next_version, "verify", "stores")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_service_of_the_version_before_reads_what_the_next_one_records(order, chain):
    customer = chain("customer").start()

    eventually(lambda: {("after",)} <= set(customer.rows("SELECT store_id FROM stores.stores")))
    assert customer.rows("SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_version_before_does_not_migrate_back(order):
    assert order.run("migrate").returncode == 2
