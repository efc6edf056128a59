import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import pytest
from typer.testing import CliRunner

from till_platform.audit.signing import Signing
from till_platform.parts import open_parts
from till_platform.settings import Settings
from till_platform.testing.infra import Infra
from till_platform.testing.running import Issuer as TestIssuer
from till_platform.testing.running import ServiceUnderTest, eventually
from tillstream.attached import Attached
from tillstream.exits import CommandFailed
from tillstream.local.audit_key import ensure_audit_key
from tillstream.local.directory import DataDirectory
from tillstream.local.issuer import AUDIENCE, ISSUER, Issuer
from tillstream.local.state import StackState
from tillstream.main import app
from tillstream.standing import wait_until_caught_up

STORES = ("s-1", "s-2")


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Shop:
    """Two services of a small chain, and the `till` command attached to them."""

    def __init__(self, data_dir: Path, infra: Infra, services: dict[str, ServiceUnderTest]) -> None:
        self.data_dir = data_dir
        self.infra = infra
        self.services = services
        self.attached = Attached(data_dir)

    def till(self, *arguments: str) -> Result:
        """Run a command and wait for its end."""
        done = CliRunner().invoke(app, ["--data-dir", str(self.data_dir), *arguments])
        if isinstance(done.exception, CommandFailed):
            return Result(done.exception.code, done.stdout, f"{done.stderr}{done.exception.detail}")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Result(done.exit_code, done.stdout, done.stderr)

    def catch_up(self) -> None:
        wait_until_caught_up(self.attached, patience_seconds=60)

    @staticmethod
    def product(number: int, **more: Any) -> dict[str, Any]:
        return {"product_id": f"p-{number}", "name": f"Tea {number}", **more}

    @staticmethod
    def receipt(number: int, **more: Any) -> dict[str, Any]:
        return {
            "store_id": STORES[number % 2],
            "till_id": "1",
            "receipt_number": str(number),
            "occurred_at": f"2026-10-{number % 28 + 1:02}T10:00:00Z",
            "total_minor": 100 * number,
            "customer_id": "c-1",
            "lines": [{"line_id": 1, "product_id": "p-1", "quantity": "1", "paid_minor": 100 * number}],
            "tenders": [{"method": "cash", "amount_minor": 100 * number}],
            **more,
        }

    def rows(self, service: str, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        return self.services[service].rows(query, parameters)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of JSON lines, or of text."""

    def write(name: str, content: list[dict[str, Any]] | str) -> Path:
        path = tmp_path / name
        text = content if isinstance(content, str) else "".join(json.dumps(line) + "\n" for line in content)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def shop(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Order and customer, with two stores, two products, six receipts and a customer; their logs are signed."""
    directory = DataDirectory(tmp_path_factory.mktemp("till"))
    Issuer(directory.issuer_key, directory.jwks)
    ensure_audit_key(directory)
    namespace = f"t{uuid4().hex[:8]}"
    trusted = {
        "TILL_AUTH_ISSUER": ISSUER,
        "TILL_AUTH_AUDIENCE": AUDIENCE,
        "TILL_AUTH_JWKS_FILE": str(directory.jwks),
        "TILL_PARTITIONS": "3",
    }
    logs = tmp_path_factory.mktemp("services")
    signer = TestIssuer(logs)
    services = {
        name: ServiceUnderTest(name, infra, namespace, signer, logs, **trusted) for name in ("order", "customer")
    }
    try:
        for service in services.values():
            service.start(wait=False)
        _write_state(directory, infra, namespace, services)
        eventually(lambda: all(_ready(service) for service in services.values()), within=120)
        shop = Shop(directory.path, infra, services)
        _fill(shop, logs)
        yield shop
    finally:
        for service in services.values():
            service.stop()


def _url(service: ServiceUnderTest) -> str:
    return f"http://127.0.0.1:{service._port}"


def _ready(service: ServiceUnderTest) -> bool:
    return httpx2.get(f"{_url(service)}/readyz").status_code == 200


def _write_state(directory: DataDirectory, infra: Infra, namespace: str, services: dict[str, ServiceUnderTest]) -> None:
    me = psutil.Process()
    StackState(
        data_dir=directory.path,
        phase="ready",
        supervisor_pid=me.pid,
        supervisor_created=me.create_time(),
        partitions=3,
        namespace=namespace,
        kafka=infra.kafka,
        redis=infra.redis,
        databases={name: service.pg for name, service in services.items()},
        apis={name: _url(service) for name, service in services.items()},
    ).write(directory)


def _fill(shop: Shop, folder: Path) -> None:
    with shop.attached.client("order") as order:
        for store in STORES:
            body = {"store_id": store, "name": store, "zone": "Europe/Warsaw", "currency": "EUR"}
            assert order.post("/v1/stores", json=body, headers={"Idempotency-Key": store}).status_code == 201
    told = {
        "products.ndjson": [shop.product(1), shop.product(2)],
        "receipts.ndjson": [shop.receipt(number) for number in range(1, 7)],
    }
    for name, lines in told.items():
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "customers.csv").write_text("customer_id,name,phone\nc-1,Łukasz Król,+48600000001\n")
    for name in ("customers.csv", *told):
        done = shop.till("import", str(folder / name), "--json")
        assert done.code == 0, done
    for service in shop.attached.services:
        asyncio.run(_sign(shop, service))
    shop.catch_up()


async def _sign(shop: Shop, service: str) -> None:
    """What the services' own job does by and by, were they told the key."""
    key = shop.attached.directory.audit_key.read_text()
    settings = Settings.read(service=service, audit_key=key, audit_events=10, **shop.attached.settings(service))
    async with open_parts(settings) as parts:
        await Signing(settings).sign(parts, at_once=True)
