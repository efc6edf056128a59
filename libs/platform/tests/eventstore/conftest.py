from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from till_events import catalogue
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.log import Log
from till_platform.eventstore.schema import migrate

assert catalogue


@pytest.fixture
def dsn(infra):
    address = infra.database("eventstore")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
    return address


@pytest.fixture
def committer(dsn):
    made = GroupCommit(lambda: psycopg.connect(dsn, autocommit=True))
    yield made
    made.close()


@pytest.fixture
def log(dsn, committer):
    with ConnectionPool(dsn, min_size=1, max_size=8, open=True, kwargs={"autocommit": True}) as pool:
        threads = ThreadPoolExecutor(8)
        yield Log("order", pool, committer, threads)
        threads.shutdown()


@pytest.fixture
def database(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
