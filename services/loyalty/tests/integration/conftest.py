from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from psycopg_pool import ConnectionPool
from redis import Redis

from till_platform.projections.reads import Reads
from till_platform.testing.infra import Infra
from till_platform.testing.neighbours import Neighbours
from till_platform.testing.running import Issuer, ServiceUnderTest

from .shop import Shop


@pytest.fixture(scope="module")
def pool(infra: Infra) -> Iterator[ConnectionPool]:
    options = {"autocommit": True, "options": "-c timezone=UTC"}
    with ConnectionPool(infra.database("loyalty"), min_size=1, kwargs=options) as opened:
        yield opened


@pytest.fixture(scope="module")
def reads(pool: ConnectionPool) -> Iterator[Reads]:
    with ThreadPoolExecutor(2) as threads:
        yield Reads(pool, threads)


@pytest.fixture(scope="session")
def shop(infra: Infra, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    namespace = f"t{uuid4().hex[:8]}"
    loyalty = ServiceUnderTest("loyalty", infra, namespace, issuer, tmp_path_factory.mktemp("loyalty"))
    with Redis.from_url(infra.redis) as cache, Neighbours(infra, namespace) as neighbours:
        opened = Shop(loyalty.start(), neighbours, cache)
        yield opened
        opened.close()
