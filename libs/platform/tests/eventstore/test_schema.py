"""A database made by an older version is brought up to date and loses nothing; one that is not ours to touch is left alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from till_platform.eventstore.schema import SchemaRefused, Step, migrate, steps

pytestmark = pytest.mark.integration


@pytest.fixture
def empty(infra):
    return infra.database("schema")


@pytest.fixture
def connection(empty):
    with psycopg.connect(empty, autocommit=True) as found:
        yield found


def columns(connection):
    query = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    return set(connection.execute(query).fetchall())


def applied(connection):
    return [number for (number,) in connection.execute("SELECT number FROM migration ORDER BY number")]


NEXT = Step(
    len(steps()) + 1, "till_of_an_event", "ALTER TABLE log ADD COLUMN till_id text; CREATE TABLE drawer (id text)"
)


def test_a_database_made_before_steps_were_counted_is_taken_over_with_its_rows(connection):
    connection.execute(steps()[0].script.encode())
    connection.execute("UPDATE log_head SET position = 7")
    connection.execute("INSERT INTO answer VALUES ('ann:1', 'x', 201, '{}', 7, now())")
    migrate(connection)
    assert applied(connection) == [step.number for step in steps()]
    assert connection.execute("SELECT position FROM log_head").fetchall() == [(7,)]
    assert connection.execute("SELECT key, status FROM answer").fetchall() == [("ann:1", 201)]


def test_an_old_database_becomes_what_a_new_one_is_and_keeps_its_rows(infra, connection):
    migrate(connection, steps()[:1])
    connection.execute("UPDATE log_head SET position = 7")
    migrate(connection, [*steps(), NEXT])
    with psycopg.connect(infra.database("fresh"), autocommit=True) as fresh:
        migrate(fresh, [*steps(), NEXT])
        assert columns(connection) == columns(fresh)
    assert ("log", "till_id", "text") in columns(connection)
    assert connection.execute("SELECT position FROM log_head").fetchall() == [(7,)]


def test_migrating_again_applies_nothing(connection):
    migrate(connection)
    before = connection.execute("SELECT * FROM migration").fetchall()
    migrate(connection)
    assert connection.execute("SELECT * FROM migration").fetchall() == before


def test_of_five_who_migrate_at_once_each_step_is_applied_by_one(empty, connection):
    slow = replace(NEXT, script=NEXT.script + "; SELECT pg_sleep(0.2)")

    def service(_):
        with psycopg.connect(empty, autocommit=True, options="-c lock_timeout=50ms") as own:
            migrate(own, [*steps(), slow])

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(service, range(5)))
    assert applied(connection) == list(range(1, slow.number + 1))


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(connection):
    migrate(connection, [*steps(), NEXT])
    before = columns(connection), applied(connection)
    with pytest.raises(SchemaRefused, match=rf"newer version: it has had step {NEXT.number} \(till_of_an_event\)"):
        migrate(connection)
    assert (columns(connection), applied(connection)) == before


def test_a_step_that_was_edited_after_it_was_applied_is_refused(connection):
    migrate(connection)
    edited = [replace(steps()[0], script=steps()[0].script + "\n"), *steps()[1:]]
    with pytest.raises(SchemaRefused, match=r"step 1 .* never edited"):
        migrate(connection, [*edited, NEXT])
    assert ("log", "till_id", "text") not in columns(connection)


def test_a_step_that_fails_half_way_leaves_nothing_of_itself_and_all_before_it(connection):
    broken = replace(NEXT, script=NEXT.script + "; SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(connection, [*steps(), broken])
    assert applied(connection) == [step.number for step in steps()]
    assert ("log", "till_id", "text") not in columns(connection)
    migrate(connection, [*steps(), NEXT])
    assert ("log", "till_id", "text") in columns(connection)
