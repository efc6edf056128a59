"""One row of a customer list, understood."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from till_customer.domain import contacts, list_cells, places
from till_customer.domain.consent import ConsentKey
from till_customer.domain.customer import Customer
from till_customer.domain.list_cells import Cell, DateOrder
from till_customer.domain.list_columns import CONSENTS
from till_customer.domain.moments import happened_at
from till_customer.domain.places import Place
from till_customer.domain.profile import identity
from till_events.customer import Acquisition


class Reading(Struct, frozen=True, kw_only=True):
    """How the cells of a list are to be read: phones by country, times by zone, and whether days or months are written first.

    A row that names a shop is read as in that shop's place; `country`, `zone` and `locale` are for those that do not say.
    """

    country: str | None = None
    zone: str = "UTC"
    locale: str = "en"
    stores: Mapping[str, Place] = {}
    dates: DateOrder = "dmy"
    wording: str = "import"


class ListedCustomer(Struct, frozen=True, kw_only=True):
    """What a row tells of a customer. Empty cells tell nothing: they never erase what is known."""

    parts: dict[str, Any]
    customer_id: str | None
    country: str | None
    zone: str
    acquisition: Acquisition
    registered_at: datetime | None
    consent_at: datetime | None
    consents: dict[tuple[str, str], bool]

    @property
    def external_id(self) -> str | None:
        external_id: str | None = self.parts.get("external_id")
        return external_id

    @property
    def cards(self) -> Sequence[str]:
        cards: Sequence[str] = self.parts.get("card_numbers", ())
        return cards


def read_row(cells: Mapping[str, Sequence[Cell]], reading: Reading, *, now: datetime) -> ListedCustomer:
    """Understand the cells of a row, given by field. Raises `Invalid` naming the field, never repeating what was written there."""

    def one(field: str) -> Cell:
        return next((cell for cell in cells.get(field, ()) if cell not in (None, "")), None)

    def text(field: str) -> str:
        return list_cells.text(one(field), field)

    def several(field: str) -> list[str]:
        return [value for cell in cells.get(field, ()) for value in list_cells.several(cell, field)]

    locale = places.locale(text("locale")) if text("locale") else ""
    place = reading.stores.get(text("store_id")) or Place(None, reading.zone)
    country = places.country(text("country")) if text("country") else None
    country = country or place.country or reading.country or places.country_of(locale)
    zone = places.zone(text("zone")) if text("zone") else place.zone
    composed = " ".join(part for field in ("first_name", "middle_name", "last_name") if (part := text(field)))
    parts: dict[str, Any] = {
        "name": text("name") or composed,
        "kind": list_cells.kind(one("kind"), "kind"),
        "phones": [_with_plus(phone, country) for phone in several("phone")],
        "emails": several("email"),
        "birth_date": list_cells.day(one("birth_date"), "birth_date", reading.dates),
        "gender": list_cells.gender(one("gender"), "gender"),
        "locale": locale,
        "zone": zone if text("zone") else None,
        "store_id": text("store_id"),
        "external_id": text("external_id"),
        "card_numbers": several("card"),
        "interests": several("interests"),
    }
    registered_at = list_cells.moment(one("registered_at"), "registered_at", reading.dates, zone)
    consent_at = list_cells.moment(one("consent_at"), "consent_at", reading.dates, zone)
    answers = {field: list_cells.answer(one(field), field) for field in CONSENTS if field in cells}
    return ListedCustomer(
        parts={field: value for field, value in parts.items() if value},
        customer_id=identity(text("customer_id")) if text("customer_id") else None,
        country=country,
        zone=zone,
        acquisition=Acquisition(source=text("source") or "import", campaign=text("campaign") or None),
        registered_at=happened_at(registered_at, now) if registered_at else None,
        consent_at=happened_at(consent_at, now) if consent_at else None,
        consents={CONSENTS[field]: said for field, said in answers.items() if said is not None},
    )


def register_listed(customer: Customer, listed: ListedCustomer, reading: Reading, *, at: datetime) -> None:
    """Enter a listed customer whom nobody knew, as of the day the list says, else of `at`."""
    registered_at = listed.registered_at or at
    parts = {"locale": reading.locale, "zone": listed.zone, **listed.parts}
    customer.register(parts, at=registered_at, country=listed.country, acquisition=listed.acquisition)
    _hear_consents(customer, listed, reading, at=listed.consent_at or registered_at)


def update_listed(customer: Customer, listed: ListedCustomer, reading: Reading, *, at: datetime) -> None:
    """Bring a known customer up to the list. Further phones, addresses, cards and interests are added to those known."""
    before = customer.known
    known = {field: getattr(before, field) for field in ("phones", "emails", "card_numbers", "interests")}
    added = {field: (*values, *listed.parts[field]) for field, values in known.items() if field in listed.parts}
    customer.change_profile({**listed.parts, **added}, at=at, country=listed.country)
    _hear_consents(customer, listed, reading, at=listed.consent_at or listed.registered_at or at)


def _hear_consents(customer: Customer, listed: ListedCustomer, reading: Reading, *, at: datetime) -> None:
    phones = listed.parts.get("phones") or customer.known.phones
    emails = listed.parts.get("emails") or customer.known.emails
    own = {"sms": phones, "phone": phones, "email": emails}
    for (purpose, channel), agreed in listed.consents.items():
        for address in own.get(channel, ())[:1]:
            key = ConsentKey(purpose, channel, contacts.address(address, channel, listed.country))
            # A list that does not say when consent was given must not wake up one that was withdrawn since.
            if agreed and (key not in customer.consents or (listed.consent_at and not customer.agrees(key))):
                customer.grant_consent(*key, wording=reading.wording, collected_from="import", opt_in="unknown", at=at)
            elif not agreed and customer.agrees(key):
                customer.withdraw_consent(*key, collected_from="import", at=at)


def _with_plus(phone: str, country: str | None) -> str:
    """Give a bare number its plus back where no country is named: spreadsheets take it for arithmetic."""
    return f"+{phone}" if country is None and phone.isdecimal() and 11 <= len(phone) <= 15 else phone
