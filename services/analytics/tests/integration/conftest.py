from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from psycopg_pool import ConnectionPool

from till_analytics.projections.catalogue import Catalogue
from till_analytics.projections.customer_days import CustomerDays
from till_analytics.projections.orders import Orders
from till_analytics.projections.sales import Sales
from till_analytics.projections.signups import Signups
from till_platform.projections.reads import Reads
from till_platform.testing.projections import fact, rows_after

PROJECTIONS = (Sales(), CustomerDays(), Catalogue(), Signups(), Orders())


class Figures:
    """A database of the service's read models, folded from whatever a test says happened."""

    def __init__(self, pool: ConnectionPool, reads: Reads) -> None:
        self._pool = pool
        self.reads = reads

    def after(self, events, *, batch: int = 50) -> Reads:
        facts = [fact(event, stream=f"stream-{place}") for place, event in enumerate(events)]
        batches = [facts[first : first + batch] for first in range(0, len(facts), batch)]
        with self._pool.connection() as connection:
            for projection in PROJECTIONS:
                rows_after(connection, projection, batches)
        return self.reads


@contextmanager
def figures_in(dsn: str) -> Iterator[Figures]:
    with (
        ConnectionPool(dsn, min_size=1, kwargs={"autocommit": True}) as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        yield Figures(pool, Reads(pool, threads))


@pytest.fixture(scope="module")
def figures(infra) -> Iterator[Figures]:
    with figures_in(infra.database("analytics")) as found:
        yield found
