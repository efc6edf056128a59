"""A chain of shops on real parts of its own, for tests that break them; and the words in which tests talk to it."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from till_events.ids import new_id
from till_platform.local.stack import LocalStack
from till_platform.testing.infra import Infra
from till_platform.testing.running import ServiceUnderTest
from tillstream.attached import Attached

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def own_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Kafka, PostgreSQL and Valkey that a test may kill, freeze and wipe. Embedded ones: containers of others are not ours to break."""
    if request.config.getoption("--infra") == "external":
        pytest.skip("these tests break Kafka and PostgreSQL: they need parts of their own (--infra=local)")
    with LocalStack(tmp_path_factory.mktemp("own-stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def own_chain(own_stack, issuer, tmp_path_factory):
    """Make services on the stack of one's own."""
    infra = Infra("local", own_stack.kafka, own_stack.postgres_admin_dsn, own_stack.redis, own_stack)
    directory = tmp_path_factory.mktemp("own-services")
    namespace = f"t{uuid4().hex[:8]}"
    made: list[ServiceUnderTest] = []

    def make(name: str, **extra: str) -> ServiceUnderTest:
        service = ServiceUnderTest(name, infra, namespace, issuer, directory, **extra)
        made.append(service)
        return service

    yield make
    for service in reversed(made):
        service.stop()


class Operated:
    """A whole Tillstream, as whoever operates it has it before him: the `till` command, and a week of a chain's trade."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    @property
    def attached(self) -> Attached:
        return Attached(self.data_dir)

    def till(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and check how it ended; None is any way."""
        command = [sys.executable, "-m", "tillstream.main", "--data-dir", str(self.data_dir), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
        assert code is None or done.returncode == code, (arguments, done.stdout[-2_000:], done.stderr[-2_000:])
        return done


@pytest.fixture(scope="session")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """Everything there is, on parts of its own, after a week of trade; whoever breaks it mends it."""
    made = Operated(tmp_path_factory.mktemp("operated") / "till")
    try:
        made.till("demo", "--weeks", "1", "--keep", "--json")
        yield made
    finally:
        made.till("down", code=None)


def post(
    client: httpx2.Client, path: str, body: dict, *, key: str | None = None, status: int | None = None
) -> httpx2.Response:
    """POST with an idempotency key and check the status."""
    answer = client.post(path, json=body, headers={"Idempotency-Key": key or new_id()})
    assert answer.status_code == status if status else answer.status_code < 300, (answer.status_code, answer.text)
    return answer


@pytest.fixture(scope="module")
def order(own_chain):
    """The order service with a store, on parts that may be broken; modules that break nothing have one of their own."""
    service = own_chain("order").start()
    with service.client() as client:
        open_store(client)
    return service


@pytest.fixture(scope="module")
def loyalty(own_chain, order):
    """Loyalty beside it."""
    return own_chain("loyalty").start()


def open_store(client: httpx2.Client, store_id: str = "S1") -> None:
    """Open a shop in New York."""
    body = {"store_id": store_id, "name": store_id, "zone": "America/New_York", "currency": "USD"}
    post(client, "/v1/stores", body, key=f"store-{store_id}-{new_id()}")


def receipt(
    customer_id: str | None = "ann", *, total: int = 1_000, number: str | None = None, store_id: str = "S1", **more
) -> dict:
    """Return a receipt of one line, printed now."""
    return {
        "store_id": store_id,
        "till_id": "1",
        "receipt_number": number or f"R{next(_numbers)}-{uuid4().hex[:6]}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "currency": "USD",
        "total_minor": total,
        "lines": [{"line_id": 1, "product_id": "milk", "quantity": "1", "paid_minor": total}],
        "tenders": [{"method": "card", "amount_minor": total}],
        **({"customer_id": customer_id} if customer_id else {}),
        **more,
    }


def record(order: ServiceUnderTest, receipts: list[dict]) -> list[dict]:
    """Send receipts in bulk and return the answers."""
    import json

    with order.client() as client:
        answer = client.post(
            "/v1/receipts:batch",
            content="\n".join(map(json.dumps, receipts)),
            headers={"Content-Type": "application/x-ndjson"},
        )
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]
