from collections.abc import Iterator
from uuid import uuid4

import pytest

from till_platform.testing.infra import Infra
from till_platform.testing.running import Issuer, ServiceUnderTest

STORE = {"store_id": "s-1", "name": "Main Street", "zone": "America/New_York", "currency": "USD"}


class Shop:
    """The service as a till, a web shop and a call centre see it."""

    def __init__(self, service: ServiceUnderTest) -> None:
        self.service = service

    def post(self, path, body, *, roles=("admin",), stores="*", key=None):
        with self.service.client(*roles, stores=stores) as client:
            return client.post(path, json=body, headers={"Idempotency-Key": key or uuid4().hex})

    def get(self, path, *, roles=("admin",), stores="*", **params):
        with self.service.client(*roles, stores=stores) as client:
            return client.get(path, params=params)

    def patch(self, path, body, *, version):
        with self.service.client() as client:
            return client.patch(path, json=body, headers={"If-Match": f'"{version}"'})

    def send_lines(self, path, lines, *, roles=("admin",), stores="*"):
        with self.service.client(*roles, stores=stores) as client:
            return client.post(path, content=lines).text.splitlines()


@pytest.fixture(scope="module")
def shop(infra: Infra, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    namespace = f"t{uuid4().hex[:8]}"
    service = ServiceUnderTest("order", infra, namespace, issuer, tmp_path_factory.mktemp("order"))
    try:
        service.start()
        shop = Shop(service)
        assert shop.post("/v1/stores", STORE).status_code == 201
        yield shop
    finally:
        service.stop()
