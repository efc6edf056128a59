from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg_pool import ConnectionPool

from till_platform.projections.reads import Reads
from till_platform.testing.infra import Infra


@pytest.fixture(scope="module")
def pool(infra: Infra) -> Iterator[ConnectionPool]:
    options = {"autocommit": True, "options": "-c timezone=UTC"}
    with ConnectionPool(infra.database("loyalty"), min_size=1, kwargs=options) as opened:
        yield opened


@pytest.fixture(scope="module")
def reads(pool: ConnectionPool) -> Iterator[Reads]:
    with ThreadPoolExecutor(2) as threads:
        yield Reads(pool, threads)
