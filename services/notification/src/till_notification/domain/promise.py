"""A promised time in words: what "the courier will be there in about an hour" is made of, at the moment it is said."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_timedelta

from till_notification.domain.language import DEFAULT_LANGUAGE

SAID_AS_SPAN = timedelta(minutes=75)
"""What is nearer than this is said as a span ("in about an hour"), what is farther by the clock ("between 14:00 and 16:00")."""

SAID_AS_AN_HOUR = timedelta(minutes=50)


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrases:
    """How one language says when something comes. `{span}` is already declined ("in 20 minutes", "через 20 минут")."""

    in_an_hour: str
    soon: str
    between: str
    at: str
    by: str
    tomorrow: str
    on_day: str


PHRASES = {
    "en": Phrases(
        in_an_hour="in about an hour",
        soon="{span}",
        between="between {start} and {end}",
        at="at {end}",
        by="by {end}",
        tomorrow="tomorrow {time}",
        on_day="on {day} {time}",
    ),
    "ru": Phrases(
        in_an_hour="примерно через час",
        soon="{span}",
        between="с {start} до {end}",
        at="в {end}",
        by="до {end}",
        tomorrow="завтра {time}",
        on_day="{day} {time}",
    ),
    "pl": Phrases(
        in_an_hour="mniej więcej za godzinę",
        soon="{span}",
        between="między {start} a {end}",
        at="o {end}",
        by="do {end}",
        tomorrow="jutro {time}",
        on_day="{day} {time}",
    ),
}
WORDLESS = Phrases(
    in_an_hour="{span}",
    soon="{span}",
    between="{start}–{end}",
    at="{end}",
    by="≤ {end}",
    tomorrow="{day}, {time}",
    on_day="{day}, {time}",
)
"""For a language whose words we do not have: figures, in that language's own form."""


def promise_in_words(
    promised_from: datetime | None, promised_to: datetime | None, *, now: datetime, zone: tzinfo, locale: str
) -> str:
    """Say when the goods come, as seen from `now` and from the clock on the customer's wall.

    Returns "" when nothing was promised, and when the promise has passed: nobody wants to read a time that is over.
    """
    end = promised_to or promised_from
    start = promised_from or promised_to
    if start is None or end is None or end <= now:
        return ""
    language = _known(locale)
    phrases = PHRASES.get(language.language, WORDLESS)
    if end - now <= SAID_AS_SPAN:
        return _span(end - now, phrases, language)
    here, starts, ends = now.astimezone(zone), start.astimezone(zone), end.astimezone(zone)
    pattern = phrases.at if start == end else phrases.by if start <= now else phrases.between
    time = pattern.format(start=f"{starts:%H:%M}", end=f"{ends:%H:%M}")
    day = ends if start <= now else starts
    days_ahead = (day.date() - here.date()).days
    if days_ahead == 0:
        return time
    around = phrases.tomorrow if days_ahead == 1 else phrases.on_day
    return around.format(time=time, day=format_date(day.date(), "d MMMM", locale=language))


def _span(ahead: timedelta, phrases: Phrases, language: Locale) -> str:
    minutes = max(5, 5 * ((int(ahead.total_seconds()) // 60 + 2) // 5))
    pattern = phrases.in_an_hour if ahead >= SAID_AS_AN_HOUR else phrases.soon
    return pattern.format(
        span=format_timedelta(timedelta(minutes=minutes), granularity="minute", add_direction=True, locale=language)
    )


def _known(locale: str) -> Locale:
    try:
        return Locale.parse(locale, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale(DEFAULT_LANGUAGE)
