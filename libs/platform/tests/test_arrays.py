from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from till_platform.arrays import array
from till_platform.projections.db import Db
from till_platform.projections.table import Table

pytestmark = pytest.mark.integration
# No lone surrogates and no NUL: PostgreSQL has no text for either.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8) | st.sampled_from(
    ["", "NULL", "null", "{}", '"', "\\", '\\"', ",", "a,b", " ", "'", "%s"]
)
offsets = st.integers(-50_000, 50_000).map(lambda seconds: timezone(timedelta(seconds=seconds)))
columns = st.one_of(
    st.tuples(st.just("text"), st.lists(texts, min_size=1)),
    st.tuples(st.just("text"), st.lists(texts | st.none(), min_size=1)),
    st.tuples(st.just("bigint"), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)),
    st.tuples(st.just("bigint"), st.lists(st.none() | st.integers(-5, 5), min_size=1)),
    st.tuples(
        st.just("numeric"), st.lists(st.decimals(-(10**12), 10**12, places=4) | st.just(Decimal("1E+3")), min_size=1)
    ),
    st.tuples(st.just("date"), st.lists(st.dates(), min_size=1)),
    *(
        st.tuples(st.just(kind), st.lists(values, min_size=1) | st.lists(values | st.none(), min_size=1))
        for kind, values in (
            ("boolean", st.booleans()),
            ("uuid", st.uuids()),
            ("timestamptz", st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=offsets)),  # noqa: DTZ001
        )
    ),
)


@pytest.fixture(scope="module")
def connection(infra):
    with psycopg.connect(infra.database("arrays"), autocommit=True, options="-c timezone=UTC") as found:
        yield found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(columns)
def test_postgresql_reads_a_column_as_it_was_written(connection, column) -> None:
    kind, values = column
    found = connection.execute(f"SELECT v FROM unnest(%s::{kind}[]) AS v", [array(values)]).fetchall()
    assert [row[0] for row in found] == values


THINGS = Table(
    "things",
    {
        "id": "bigint NOT NULL",
        "name": "text",
        "at": "timestamptz",
        "day": "date",
        "weight": "numeric",
        "many": "integer DEFAULT 0",
        "good": "boolean",
        "more": "jsonb",
    },
    ("id",),
)
NAMED = Table("named", {**THINGS.columns, "event_id": "uuid"}, ("id",))
AT = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
WHOLE = (1, 'tab\t"quote" \\N', AT, date(2026, 3, 1), Decimal("0.250"), 3, True, Jsonb({"a": [1, None]}))
EMPTY = (2, *[None] * 7)
EVENT = "0199a1f0-7c1e-7b3a-9d55-3f6d2c8e4b10"


@pytest.fixture
def db(connection):
    for table in (THINGS, NAMED):
        connection.execute(f"DROP TABLE IF EXISTS {table.name}")
        for statement in table.ddl():
            connection.execute(statement)
    return Db(connection)


@pytest.mark.parametrize("write", [Db.append, Db.upsert, Db.insert])
@pytest.mark.parametrize("again", [False, True])
def test_rows_are_read_as_they_were_written_whichever_way(connection, db, write, again) -> None:
    for _ in range(1 + again):  # the second time an append finds them there, and goes another way
        write(db, THINGS, [WHOLE, EMPTY])
        write(db, NAMED, [(*WHOLE, EVENT)])
    stored = (*WHOLE[:7], {"a": [1, None]})
    assert connection.execute("SELECT * FROM things ORDER BY id").fetchall() == [stored, EMPTY]
    assert connection.execute("SELECT * FROM named").fetchall() == [(*stored, UUID(EVENT))]


def test_a_table_is_copied_in_binary_unless_a_column_is_of_an_unusual_type() -> None:
    assert THINGS.copied_as == ["bigint", "text", "timestamptz", "date", "numeric", "integer", "boolean", "jsonb"]
    assert NAMED.copied_as == []


@pytest.mark.parametrize("write", [Db.append, Db.upsert, Db.insert])
@pytest.mark.parametrize(
    ("place", "value"), [(0, 2**63), (5, 2**31), (5, 2**70), (1, "a\x00b"), (4, Decimal("1E+140000"))]
)
def test_a_value_that_does_not_fit_its_column_is_refused_as_data_whichever_way(
    connection, db, write, place, value
) -> None:
    with pytest.raises(psycopg.DataError):
        write(db, THINGS, [(*WHOLE[:place], value, *WHOLE[place + 1 :])])
    assert connection.execute("SELECT count(*) FROM things").fetchone() == (0,)


def test_a_nul_is_refused_as_data_not_cut_off(connection) -> None:
    with pytest.raises(psycopg.DataError):
        connection.execute("SELECT %s::text[]", [array(["a\x00b"])])


def test_days_before_the_thousandth_year_are_read(connection) -> None:
    assert connection.execute("SELECT %s::date[]", [array([date(1, 1, 1)])]).fetchone() == ([date(1, 1, 1)],)
