from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import httpx2
import pytest

from till_events.ids import new_id
from till_platform.testing.neighbours import Neighbours
from till_platform.testing.running import ServiceUnderTest, eventually


@dataclass
class Town:
    """The customer service as it runs, beside the logs of the other four."""

    service: ServiceUnderTest
    others: Neighbours
    clients: dict[str, httpx2.Client] = field(default_factory=dict)

    def client(self, *roles: str, stores: list[str] | str = "*") -> httpx2.Client:
        """Return the client of whoever has these roles and reaches these stores. All are closed with the town."""
        who = f"{roles} {stores}"
        if who not in self.clients:
            self.clients[who] = self.service.client(*roles, stores=stores)
        return self.clients[who]

    def register(self, client: httpx2.Client | None = None, **particulars: object) -> dict:
        answer = self.post("/v1/customers", {"name": "Anna Nowak", **particulars}, client=client)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def post(self, path: str, body: object, *, client: httpx2.Client | None = None, key: str = "") -> httpx2.Response:
        return (client or self.client()).post(path, json=body, headers={"Idempotency-Key": key or new_id()})

    def found(self, **criterion: str) -> list[str]:
        answer = self.client().get("/v1/customers", params=criterion)
        assert answer.status_code == 200, answer.text
        return [row["customer_id"] for row in answer.json()["items"]]

    def heard_of(self, customer_id: str) -> None:
        """Wait until the read models know a customer."""
        eventually(lambda: self.service.rows("SELECT 1 FROM customers.customers WHERE customer_id = %s", [customer_id]))


@pytest.fixture(scope="session")
def town(infra, issuer, tmp_path_factory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("customer")
    with Neighbours(infra, f"t{uuid4().hex[:8]}") as others:
        service = ServiceUnderTest("customer", infra, others.namespace, issuer, directory, TILL_DEFAULT_COUNTRY="PL")
        service.start()
        town = Town(service, others)
        yield town
        for client in town.clients.values():
            client.close()
        service.stop()


@pytest.fixture
def send(town: Town) -> Callable[..., httpx2.Response]:
    """Send a customer list as a form."""

    def send(content: bytes, path: str = "/v1/imports", client: httpx2.Client | None = None, **form: str):
        return (client or town.client()).post(path, files={"file": ("customers.csv", content)}, data=form)

    return send
