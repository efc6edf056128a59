"""Languages, countries and time zones by their international names."""

import re
from functools import cache
from zoneinfo import available_timezones

from msgspec import Struct
from phonenumbers import SUPPORTED_REGIONS

from till_platform.domain import Invalid

# RFC 5646 without its grandfathered tags: language, script, region, variants, extensions, private use.
_LOCALE = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?)",
    re.IGNORECASE,
)


class Place(Struct, frozen=True):
    """Where a shop is: the country in which its customers write their phones, and the zone in which they sleep."""

    country: str | None
    zone: str


def locale(written: str) -> str:
    """Return a language tag of BCP 47 as it is usually written (`pl-PL`, `sr-Latn-RS`); `ru_RU` is understood. Raises `Invalid`."""
    match = _LOCALE.fullmatch(written.strip().replace("_", "-")) if len(written) <= 35 else None
    if match is None:
        raise Invalid("a language is a BCP 47 tag, e.g. pl or pl-PL", field="locale")
    language, script, region = match["language"].lower(), match["script"], match["region"]
    parts = [language, script.title() if script else None, region.upper() if region else None]
    return "-".join(part for part in parts if part) + match["rest"].lower()


def zone(written: str) -> str:
    """Return the time zone if it is one of the IANA names, e.g. `Europe/Warsaw`. Raises `Invalid`."""
    if written not in _zones():
        raise Invalid("a time zone is an IANA name, e.g. Europe/Warsaw", field="zone")
    return written


def country(written: str) -> str:
    """Return the country as its two ISO 3166 letters, e.g. `PL`. Raises `Invalid`."""
    code = written.strip().upper()
    if code not in SUPPORTED_REGIONS:
        raise Invalid("a country is two letters of ISO 3166, e.g. PL", field="country")
    return code


def country_of(locale: str) -> str | None:
    """Return the country a language tag names, if it does: `PL` for `pl-PL`, nothing for `pl`."""
    match = _LOCALE.fullmatch(locale)
    region = match["region"].upper() if match and match["region"] else None
    return region if region in SUPPORTED_REGIONS else None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory", "posixrules"})
