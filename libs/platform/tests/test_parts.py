"""A pool whose connections are looked at before they are handed out."""

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from till_platform.parts import still_there

pytestmark = pytest.mark.integration


def ask_after_the_server_closed_it(address, check):
    with ConnectionPool(address, min_size=1, max_size=1, open=True, check=check, kwargs={"autocommit": True}) as pool:
        with pool.connection() as connection:
            first = connection.info.backend_pid
        with psycopg.connect(address, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [first])
        with pool.connection() as connection:
            return first, connection.execute("SELECT pg_backend_pid()").fetchone()


def test_a_connection_that_the_server_closed_is_replaced_before_anybody_uses_it(infra):
    first, (second,) = ask_after_the_server_closed_it(infra.database("pool"), still_there)
    assert second != first


def test_control_without_a_look_the_next_one_fails(infra):
    with pytest.raises(psycopg.OperationalError):
        ask_after_the_server_closed_it(infra.database("pool"), None)


def test_a_connection_that_has_something_to_say_and_is_fine_is_kept(infra):
    with psycopg.connect(infra.database("pool"), autocommit=True) as connection:
        with psycopg.connect(connection.info.dsn, autocommit=True, password=connection.info.password) as other:
            connection.execute("LISTEN news")
            other.execute("NOTIFY news")
        still_there(connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)
