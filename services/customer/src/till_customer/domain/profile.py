"""What the chain knows of a customer, and the form in which each part of it is kept."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Self

from msgspec import Struct, structs

from till_customer.domain import contacts, places
from till_events.customer import CustomerProfileChanged, CustomerRegistered
from till_events.ids import CardNumber, StoreId
from till_platform.domain import Invalid

MOST_CONTACTS = 20
"""Phones, addresses, cards or interests one customer may have: a company has many, a mistake has thousands."""

_CARD = re.compile(r"[0-9A-Za-z-]{4,32}")
_UNWRITABLE = ("Cc", "Cs")  # controls and halves of characters; joiners (Cf) belong to Persian and Indian names
_IDENTITY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,63}")


class Profile(Struct, frozen=True, kw_only=True):
    """Who a customer is: a name, ways to reach them, the shop they belong to, and what other systems call them."""

    name: str
    kind: str = "person"
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    birth_date: date | None = None
    gender: str | None = None
    locale: str = "en"
    zone: str = "UTC"
    store_id: StoreId | None = None
    external_id: str | None = None
    card_numbers: tuple[CardNumber, ...] = ()
    interests: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: CustomerRegistered | CustomerProfileChanged) -> Self:
        """Return the profile an event carries."""
        return cls(**{field: getattr(event, field) for field in cls.__struct_fields__})

    @classmethod
    def checked(cls, parts: Mapping[str, Any], *, country: str | None, at: datetime) -> Self:
        """Return a profile of these parts, each in its one form. Raises `Invalid` naming the field."""
        return cls(**{"name": None, **in_form({"name": None, **parts}, country=country, at=at)})

    def with_changes(self, parts: Mapping[str, Any], *, country: str | None, at: datetime) -> Self:
        """Return the profile with these parts replaced; `None` takes an optional part away. Raises `Invalid` naming the field."""
        return structs.replace(self, **in_form(parts, country=country, at=at))

    def changed_from(self, before: "Profile") -> tuple[str, ...]:
        """Name the parts that differ."""
        return tuple(field for field in self.__struct_fields__ if getattr(self, field) != getattr(before, field))


def in_form(parts: Mapping[str, Any], *, country: str | None, at: datetime) -> dict[str, Any]:
    """Return the given parts of a profile, each in the form in which it is kept; `country` reads phones without a country code."""
    formed: dict[str, Any] = {}
    for field, value in parts.items():
        match field:
            case "phones":
                formed[field] = _several(field, (contacts.phone(phone, country) for phone in value or ()))
            case "birth_date":
                formed[field] = _birth_date(value, at.date())
            case _:
                formed[field] = _FORMS[field](value)
    return formed


def identity(written: str) -> str:
    """Return what a customer is called in all systems, if it can be: letters, digits and `._:-`, at most 64. Raises `Invalid`.

    It becomes part of addresses and keys that anybody may see, so an e-mail address or a phone will not do.
    """
    if not _IDENTITY.fullmatch(written):
        raise Invalid("a customer's id is 1 to 64 letters, digits and . _ : -", field="customer_id")
    return written


def _name(value: str | None) -> str:
    if not (name := _text("name", value, 200)):
        raise Invalid("a customer needs a name", field="name")
    return name


def _optional(field: str, length: int) -> Callable[[str | None], str | None]:
    return lambda value: _text(field, value, length) or None


def _text(field: str, value: str | None, length: int) -> str:
    text = unicodedata.normalize("NFC", " ".join((value or "").split()))
    if len(text) > length:
        raise Invalid(f"longer than {length} characters", field=field)
    if any(unicodedata.category(character) in _UNWRITABLE for character in text):
        raise Invalid("contains characters that cannot be written", field=field)
    return text


def _one_of(field: str, *known: str) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value not in known:
            raise Invalid(f"one of {', '.join(known)}", field=field)
        return value

    return check


def _birth_date(value: date | None, today: date) -> date | None:
    if value is not None and not date(1900, 1, 1) <= value <= today:
        raise Invalid("nobody was born before 1900 or is yet to be born", field="birth_date")
    return value


def _several(field: str, values: Iterable[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(values))
    if len(distinct) > MOST_CONTACTS:
        raise Invalid(f"more than {MOST_CONTACTS}", field=field)
    return distinct


def _card(value: str) -> str:
    card = "".join(value.split())
    if not _CARD.fullmatch(card):
        raise Invalid("a card number is 4 to 32 digits, letters and dashes", field="card_numbers")
    return card


_FORMS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "kind": _one_of("kind", "person", "company"),
    "emails": lambda values: _several("emails", (contacts.email(value) for value in values or ())),
    "gender": lambda value: value and _one_of("gender", "female", "male", "other")(value),
    "locale": lambda value: places.locale(value or "en"),
    "zone": lambda value: places.zone(value or "UTC"),
    "store_id": _optional("store_id", 64),
    "external_id": _optional("external_id", 128),
    "card_numbers": lambda values: _several("card_numbers", (_card(value) for value in values or ())),
    "interests": lambda values: _several(
        "interests", (text for value in values or () if (text := _text("interests", value, 60)))
    ),
}
