import psycopg
import pytest

from till_events import catalogue
from till_platform.eventstore.schema import migrate
from till_platform.testing.logs import committer_for, open_log

assert catalogue


@pytest.fixture
def dsn(infra):
    address = infra.database("eventstore")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
    return address


@pytest.fixture
def committer(dsn):
    made = committer_for(dsn)
    yield made
    made.close()


@pytest.fixture
def log(dsn, committer):
    with open_log(dsn, committer=committer, threads=8) as opened:
        yield opened


@pytest.fixture
def database(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
