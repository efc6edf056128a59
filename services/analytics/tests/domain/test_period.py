from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_analytics.domain.period import Change, Period, mean
from till_platform.domain import Invalid

DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1))


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        Period(date(2026, 2, 1), date(2026, 1, 31))
    assert refusal.value.facts == {"field": "to"}


def test_a_day_is_compared_with_the_day_before() -> None:
    day = Period(date(2026, 3, 1), date(2026, 3, 1))
    assert day.compared_with("previous") == Period(date(2026, 2, 28), date(2026, 2, 28))


@given(DAYS, st.integers(0, 400))
def test_the_period_before_is_as_long_and_ends_the_day_before(first, length) -> None:
    period = Period(first, first + timedelta(days=length))
    before = period.compared_with("previous")
    assert before.days == period.days
    assert before.last + timedelta(days=1) == period.first


@given(DAYS, st.integers(0, 400))
def test_the_year_before_has_the_same_weekdays(first, length) -> None:
    period = Period(first, first + timedelta(days=length))
    before = period.compared_with("year_before")
    assert (before.first.weekday(), before.last.weekday()) == (period.first.weekday(), period.last.weekday())
    assert before.days == period.days


def test_before_the_first_day_of_the_calendar_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(Invalid):
        Period(date.min, date.min).compared_with("previous")


@pytest.mark.parametrize(
    ("now", "before", "ratio"),
    [
        (1_125, 1_000, Decimal("0.1250")),
        (0, 500, Decimal("-1.0000")),
        (3, 9, Decimal("-0.6667")),
        (10**15 + 1, 10**15, Decimal("0.0000")),
        (100, 0, None),
        (100, -5, None),
    ],
)
def test_growth_is_exact_and_unknown_where_there_was_nothing_to_grow_from(now, before, ratio) -> None:
    change = Change(now=now, before=before)
    assert change.absolute == now - before
    assert change.ratio == ratio


@pytest.mark.parametrize(("total", "count", "each"), [(1_001, 2, 500), (1_003, 2, 502), (-7, 2, -4), (5, 0, None)])
def test_an_average_is_in_whole_units_halves_to_the_even_one(total, count, each) -> None:
    assert mean(total, count) == each
