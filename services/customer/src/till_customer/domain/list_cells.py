"""What a cell of a customer list says, however a spreadsheet or an older system wrote it."""

import re
from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from till_platform.domain import Invalid

Cell = str | int | float | bool | date | datetime | time | None
"""A value as a CSV file (text) or a spreadsheet gives it. A number may be a phone that lost its plus; it is never an amount of money."""

DateOrder = Literal["dmy", "mdy"]

_YES = frozenset({"1", "yes", "y", "true", "on", "x", "+", "да", "д", "истина", "tak", "t", "prawda", "✓", "✔"})
_NO = frozenset({"0", "no", "n", "false", "off", "-", "нет", "н", "ложь", "nie", "fałsz"})
_GENDERS = {
    **dict.fromkeys(("f", "female", "woman", "ж", "жен", "женский", "k", "kobieta"), "female"),
    **dict.fromkeys(("m", "male", "man", "м", "муж", "мужской", "mężczyzna"), "male"),
    **dict.fromkeys(("other", "другой", "inna"), "other"),
}
_COMPANY = frozenset(
    {"company", "organisation", "organization", "b2b", "юр лицо", "юрлицо", "компания", "организация", "firma"}
)
_PERSON = frozenset({"person", "individual", "b2c", "физ лицо", "физлицо", "osoba"})

_QUOTED_FORMULA = re.compile(r'="([^"]*)"')
_SEPARATORS = re.compile(r"[,;|\n]+")
_ISO = re.compile(r"(?P<y>\d{4})[-./]?(?P<m>\d{2})[-./]?(?P<d>\d{2})")
_LOCAL = re.compile(r"(?P<a>\d{1,2})[-./](?P<b>\d{1,2})[-./](?P<y>\d{4})")
_TIME = re.compile(
    r"[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?) ?(?P<zone>Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE
)


def text(cell: Cell, field: str) -> str:
    """Return the cell as text: whole numbers without a fraction, dates as ISO, a number quoted as a formula (`="0123"`) as the number.

    Raises `Invalid` for any other formula, and for characters the file's encoding could not read.
    """
    match cell:
        case None:
            return ""
        case bool():
            return "1" if cell else "0"
        case float() if cell.is_integer():
            return str(int(cell))
        case date() | time():
            return cell.isoformat()
        case str():
            return _plain(cell, field)
        case _:
            return str(cell)


def several(cell: Cell, field: str) -> list[str]:
    """Return the values of a cell that lists some, parted by comma, semicolon, bar or line."""
    return [part.strip() for part in _SEPARATORS.split(text(cell, field)) if part.strip()]


def day(cell: Cell, field: str, order: DateOrder) -> date | None:
    """Return a calendar day. `31.12.2026` and `2026-12-31` are understood; which of `1/2/2026` is the month, `order` says."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    return _day_and_rest(written, field, order)[0] if (written := text(cell, field)) else None


def moment(cell: Cell, field: str, order: DateOrder, zone: str) -> datetime | None:
    """Return a time as aware UTC; one without a zone of its own is meant in `zone`, a mere day by its noon there."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=cell.tzinfo or ZoneInfo(zone)).astimezone(UTC)
    if isinstance(cell, date):
        return datetime.combine(cell, time(12), ZoneInfo(zone)).astimezone(UTC)
    if not (written := text(cell, field)):
        return None
    found, rest = _day_and_rest(written, field, order)
    if not rest:
        return datetime.combine(found, time(12), ZoneInfo(zone)).astimezone(UTC)
    match = _TIME.fullmatch(rest)
    if match is None:
        raise Invalid("this is not a time", field=field)
    try:
        clock = time.fromisoformat(match["time"].zfill(8) if match["time"].count(":") == 2 else match["time"].zfill(5))
        offset = datetime.fromisoformat(f"2000-01-01T00:00:00{match['zone'].upper()}").tzinfo if match["zone"] else None
    except ValueError:
        raise Invalid("this is not a time", field=field) from None
    return datetime.combine(found, clock, offset or ZoneInfo(zone)).astimezone(UTC)


def answer(cell: Cell, field: str) -> bool | None:
    """Return a yes or a no in English, Russian or Polish; nothing for an empty cell."""
    written = text(cell, field).casefold()
    if not written:
        return None
    if written in _YES or written in _NO:
        return written in _YES
    raise Invalid("this is neither yes nor no", field=field)


def gender(cell: Cell, field: str) -> str | None:
    return _translated(text(cell, field), _GENDERS, field)


def kind(cell: Cell, field: str) -> str | None:
    return _translated(
        text(cell, field), {**dict.fromkeys(_COMPANY, "company"), **dict.fromkeys(_PERSON, "person")}, field
    )


def _translated(written: str, known: dict[str, str], field: str) -> str | None:
    if not written:
        return None
    if (word := known.get(" ".join(re.sub(r"[\W_]+", " ", written.casefold()).split()))) is None:
        raise Invalid(f"not one of {', '.join(dict.fromkeys(known.values()))}", field=field)
    return word


def _plain(cell: str, field: str) -> str:
    written = cell.strip()
    if quoted := _QUOTED_FORMULA.fullmatch(written):
        return quoted[1].strip()
    if "\N{REPLACEMENT CHARACTER}" in written:
        raise Invalid("contains characters that this encoding cannot read", field=field)
    # Kept as text it would run in the spreadsheet of whoever exports the customers next.
    if written[:1] in ("=", "@"):
        raise Invalid("this is a formula, not a value", field=field)
    return written.removeprefix("'")


def _day_and_rest(written: str, field: str, order: DateOrder) -> tuple[date, str]:
    try:
        if match := _ISO.match(written):
            return date(int(match["y"]), int(match["m"]), int(match["d"])), written[match.end() :]
        if match := _LOCAL.match(written):
            first, second = int(match["a"]), int(match["b"])
            month, month_day = (first, second) if order == "mdy" else (second, first)
            return date(int(match["y"]), month, month_day), written[match.end() :]
    except ValueError:
        pass
    raise Invalid("this is not a date, e.g. 2026-12-31 or 31.12.2026", field=field)
