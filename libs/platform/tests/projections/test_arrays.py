from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from till_platform.projections.arrays import array

pytestmark = pytest.mark.integration
# No lone surrogates and no NUL: PostgreSQL has no text for either.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8) | st.sampled_from(
    ["", "NULL", "null", "{}", '"', "\\", '\\"', ",", "a,b", " ", "'", "%s"]
)
columns = st.one_of(
    st.tuples(st.just("text"), st.lists(texts, min_size=1)),
    st.tuples(st.just("text"), st.lists(texts | st.none(), min_size=1)),
    st.tuples(st.just("bigint"), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)),
    st.tuples(st.just("bigint"), st.lists(st.none() | st.integers(-5, 5), min_size=1)),
    st.tuples(
        st.just("numeric"), st.lists(st.decimals(-(10**12), 10**12, places=4) | st.just(Decimal("1E+3")), min_size=1)
    ),
    st.tuples(st.just("date"), st.lists(st.dates(), min_size=1)),
    st.tuples(st.just("boolean"), st.lists(st.booleans(), min_size=1)),
    st.tuples(
        st.just("timestamptz"),
        st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), min_size=1),  # noqa: DTZ001
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


def test_a_nul_is_refused_as_data_not_cut_off(connection) -> None:
    with pytest.raises(psycopg.DataError):
        connection.execute("SELECT %s::text[]", [array(["a\x00b"])])


def test_days_before_the_thousandth_year_are_read(connection) -> None:
    assert connection.execute("SELECT %s::date[]", [array([date(1, 1, 1)])]).fetchone() == ([date(1, 1, 1)],)
