"""A promised time in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_notification.domain.promise import promise_in_words

WARSAW = ZoneInfo("Europe/Warsaw")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=WARSAW)


def said(start, end, *, locale="en", now=NOW, zone=WARSAW):
    return promise_in_words(start and now + start, end and now + end, now=now, zone=zone, locale=locale)


def minutes(number):
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "in about an hour"),
        ("ru", "примерно через час"),
        ("pl", "mniej więcej za godzinę"),
        ("de", "in 1 Stunde"),
    ],
)
def test_the_courier_will_be_there_in_about_an_hour(locale, words):
    assert said(minutes(30), minutes(60), locale=locale) == words


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en", "in 20 minutes"), ("ru", "через 20 минут"), ("pl", "za 20 minut"), ("ru-RU", "через 20 минут")],
)
def test_what_is_near_is_said_in_minutes(locale, words):
    assert said(None, minutes(21), locale=locale) == words


def test_the_last_minutes_are_said_as_five():
    assert said(None, timedelta(seconds=20)) == "in 5 minutes"


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "between 14:00 and 16:00"),
        ("ru", "с 14:00 до 16:00"),
        ("pl", "między 14:00 a 16:00"),
        ("de", "14:00–16:00"),
        ("not a language", "between 14:00 and 16:00"),
    ],
)
def test_what_is_hours_away_is_said_by_the_clock(locale, words):
    assert said(minutes(120), minutes(240), locale=locale) == words


def test_the_clock_is_the_one_on_the_customers_wall():
    assert said(minutes(120), minutes(240), zone=ZoneInfo("America/New_York")) == "between 08:00 and 10:00"


@pytest.mark.parametrize(("locale", "words"), [("en", "by 16:00"), ("ru", "до 16:00"), ("pl", "do 16:00")])
def test_once_the_window_has_begun_only_its_end_is_said(locale, words):
    assert said(minutes(-30), minutes(240), locale=locale) == words


@pytest.mark.parametrize(("locale", "words"), [("en", "at 16:00"), ("ru", "в 16:00"), ("pl", "o 16:00")])
def test_a_single_moment_is_said_as_one(locale, words):
    assert said(minutes(240), None, locale=locale) == words


@pytest.mark.parametrize(
    ("locale", "tomorrow", "later"),
    [
        ("en", "tomorrow between 14:00 and 16:00", "on 25 November between 14:00 and 16:00"),
        ("ru", "завтра с 14:00 до 16:00", "25 ноября с 14:00 до 16:00"),
        ("pl", "jutro między 14:00 a 16:00", "25 listopada między 14:00 a 16:00"),
        ("de", "24 November, 14:00–16:00", "25 November, 14:00–16:00"),
    ],
)
def test_another_day_is_named(locale, tomorrow, later):
    day = timedelta(days=1)
    assert said(day + minutes(120), day + minutes(240), locale=locale) == tomorrow
    assert said(2 * day + minutes(120), 2 * day + minutes(240), locale=locale) == later


def test_the_same_promise_read_later_is_told_from_then():
    start, end = NOW + minutes(120), NOW + minutes(240)
    told = [
        promise_in_words(start, end, now=NOW + minutes(later), zone=WARSAW, locale="en") for later in (0, 180, 220, 250)
    ]
    assert told == ["between 14:00 and 16:00", "in about an hour", "in 20 minutes", ""]


def test_nothing_promised_is_nothing_said():
    assert said(None, None) == ""


times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - made aware by the strategy


@settings(deadline=None)
@given(
    start=st.none() | times,
    end=st.none() | times,
    now=times,
    locale=st.sampled_from(["en", "ru", "pl", "de", "zh-Hans", "xx"]),
)
def test_a_promise_is_said_if_and_only_if_it_is_still_ahead(start, end, now, locale):
    last = end or start
    words = promise_in_words(start, end, now=now, zone=WARSAW, locale=locale)
    assert bool(words) is (last is not None and last > now)
    assert "{" not in words
