"""Which language a customer is written to in."""

from babel import Locale, UnknownLocaleError

from till_platform.domain import Invalid

DEFAULT_LANGUAGE = "en"


def checked_locale(locale: str) -> str:
    """Return a BCP 47 tag as everybody writes it (`pl-PL`, `ru`); raise `Invalid` for what is no language."""
    try:
        parsed = Locale.parse(locale, sep="-")
    except (ValueError, UnknownLocaleError):
        raise Invalid("this is not a language known by its BCP 47 tag, e.g. en, ru or pl-PL", field="locale") from None
    return str(parsed).replace("_", "-")


def fallbacks(locale: str) -> list[str]:
    """Return the languages to look for words in, best first: the customer's own, the same without its region, English."""
    parts = locale.replace("_", "-").split("-")
    shorter = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return list(dict.fromkeys([*shorter, DEFAULT_LANGUAGE]))
