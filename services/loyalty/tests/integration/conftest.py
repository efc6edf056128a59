from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg_pool import ConnectionPool
from redis import Redis

from till_platform.projections.reads import Reads
from till_platform.testing.infra import Infra
from till_platform.testing.plugin import StartService

from .neighbours import Neighbour
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


@pytest.fixture(scope="module")
def shop(chain: StartService, infra: Infra) -> Iterator[Shop]:
    loyalty = chain("loyalty")
    namespace = loyalty._environment["TILL_NAMESPACE"]
    order, customer = (Neighbour(owner, infra, namespace) for owner in ("order", "customer"))
    with Redis.from_url(infra.redis) as cache:
        opened = Shop(loyalty.start(), order, customer, cache)
        yield opened
        opened.close()
