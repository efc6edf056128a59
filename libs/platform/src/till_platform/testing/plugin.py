"""Fixtures for integration tests. `--infra` says on which parts they run; what is chosen is printed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from till_platform.testing.infra import KINDS, Infra, provide
from till_platform.testing.running import Issuer, ServiceUnderTest

StartService = Callable[..., ServiceUnderTest]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--infra`."""
    parser.addoption("--infra", choices=KINDS, default="auto", help="real parts for integration tests (default: auto)")


@pytest.fixture(scope="session")
def infra(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infra]:
    """Real Kafka, PostgreSQL and Valkey, shared by all tests of a run; every test has databases and topics of its own."""
    with provide(request.config.getoption("--infra"), tmp_path_factory.mktemp("stack")) as parts:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\ninfra: {parts.kind} (kafka {parts.kafka})")  # noqa: T201 - the run must say what it ran on
        yield parts


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Who signs tokens."""
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
def chain(infra: Infra, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartService]:
    """Make services of one installation: `chain("order").start()`. All end with the module."""
    namespace = f"t{uuid4().hex[:8]}"
    directory: Path = tmp_path_factory.mktemp("services")
    made: list[ServiceUnderTest] = []

    def make(name: str, **extra: str) -> ServiceUnderTest:
        service = ServiceUnderTest(name, infra, namespace, issuer, directory, **extra)
        made.append(service)
        return service

    yield make
    for service in reversed(made):
        service.stop()
