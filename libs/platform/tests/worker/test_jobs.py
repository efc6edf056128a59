"""What a service does by the clock, on a real database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from till_platform import jobs
from till_platform.eventstore.schema import migrate
from till_platform.jobs import FORGET_EFFECTS
from till_platform.projections.reads import Reads

pytestmark = pytest.mark.integration
ASK = """
INSERT INTO effect (kind, key, payload, not_before, correlation_id, done_at)
VALUES ('message', %s, '{}', clock_timestamp(), 'c', clock_timestamp() - %s::interval)
"""


@pytest.fixture
def dsn(infra):
    return infra.database("jobs")


@pytest.fixture
def connection(dsn):
    with psycopg.connect(dsn, autocommit=True) as found:
        migrate(found)
        yield found


@pytest.fixture
def parts(dsn, connection):
    with ConnectionPool(dsn, min_size=1, max_size=2, open=True, kwargs={"autocommit": True}) as pool:
        threads = ThreadPoolExecutor(2)
        yield SimpleNamespace(settings=SimpleNamespace(effects_kept_days=30), reads=Reads(pool, threads))
        threads.shutdown()


def kept(connection):
    return {key for (key,) in connection.execute("SELECT key FROM effect")}


async def test_effects_done_long_ago_are_removed_and_no_others(connection, parts):
    connection.execute(ASK, ["done long ago", timedelta(days=31)])
    connection.execute(ASK, ["done lately", timedelta(days=29)])
    connection.execute(ASK, ["asked for long ago, not done", None])
    connection.execute("UPDATE effect SET asked_at = asked_at - interval '90 days'")
    await FORGET_EFFECTS.run(parts)
    assert kept(connection) == {"done lately", "asked for long ago, not done"}


async def test_many_are_removed_in_small_batches_until_none_is_left(connection, parts, monkeypatch):
    monkeypatch.setattr(jobs, "FORGOTTEN_AT_ONCE", 3)
    for number in range(9):
        connection.execute(ASK, [str(number), timedelta(days=40 + number)])
    await FORGET_EFFECTS.run(parts)
    assert kept(connection) == set()


def test_finding_them_reads_an_index_and_not_the_table(connection):
    connection.execute("SET enable_seqscan = off")
    plan = connection.execute(f"EXPLAIN {jobs._FORGET_EFFECTS % (30, 1000)}").fetchall()
    assert any("effect_done" in line for (line,) in plan)
