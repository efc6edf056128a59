"""Which column of a customer list tells what: the fields there are, and the headings by which they are recognised."""

import re
from collections.abc import Mapping, Sequence

from till_customer.domain.consent import CHANNELS, PURPOSES
from till_platform.domain import Invalid

SEVERAL = frozenset({"phone", "email", "card", "interests"})
"""Fields that several columns may fill."""

CONSENTS = {f"consent_{purpose}_{channel}": (purpose, channel) for purpose in PURPOSES for channel in CHANNELS}
"""Columns that hold a yes or a no, e.g. `consent_marketing_sms`."""

_HEADINGS: dict[str, str] = {
    "customer_id": "customer id, client id, id клиента, код клиента, id klienta",
    "external_id": "external id, id, внешний код, код, numer klienta, nr klienta, household id",
    "name": (
        "name, full name, customer, client, фио, имя и фамилия, клиент, покупатель, "
        "наименование, imię i nazwisko, nazwisko i imię, klient, nazwa"
    ),
    "first_name": "first name, given name, имя, imię",
    "middle_name": "middle name, patronymic, отчество, drugie imię",
    "last_name": "last name, surname, family name, фамилия, nazwisko",
    "phone": (
        "phone, telephone, tel, mobile, mobile phone, phone number, mobile number, телефон, тел, "
        "моб телефон, мобильный, мобильный телефон, сотовый, номер телефона, telefon, komórka, "
        "telefon komórkowy, numer telefonu, nr telefonu"
    ),
    "email": (
        "email, e mail, mail, email address, e mail address, почта, эл почта, электронная почта, "
        "адрес электронной почты, adres email, adres e mail"
    ),
    "card": (
        "card, card number, loyalty card, карта, номер карты, дисконтная карта, karta, "
        "numer karty, nr karty, karta stałego klienta"
    ),
    "birth_date": (
        "birth date, birthdate, birthday, date of birth, dob, дата рождения, день рождения, data urodzenia, urodziny"
    ),
    "gender": "gender, sex, пол, płeć",
    "locale": "locale, language, язык, język",
    "zone": "zone, time zone, timezone, часовой пояс, strefa czasowa",
    "country": "country, страна, kraj",
    "store_id": "store, store id, shop, shop id, магазин, код магазина, sklep, id sklepu",
    "interests": "interests, tags, интересы, теги, zainteresowania, tagi",
    "kind": "kind, type, тип, тип клиента, typ, typ klienta",
    "source": "source, источник, źródło",
    "campaign": "campaign, кампания, рекламная кампания, kampania",
    "registered_at": (
        "registered at, registered, registration date, created, created at, дата регистрации, "
        "дата создания, data rejestracji, data utworzenia"
    ),
    "consent_at": "consent at, consent date, дата согласия, data zgody",
    "consent_marketing_sms": (
        "sms consent, marketing sms, согласие sms, согласие на sms, согласие на смс, "
        "рассылка sms, zgoda sms, zgoda na sms"
    ),
    "consent_marketing_email": (
        "email consent, marketing email, newsletter, согласие email, согласие на email, "
        "рассылка email, zgoda email, zgoda na email, zgoda e mail"
    ),
}

FIELDS = frozenset(_HEADINGS) | frozenset(CONSENTS)

_WORDS = re.compile(r"[\W_]+")


def suggested(columns: Sequence[str]) -> dict[str, str]:
    """Return which field each column seems to hold, judged by its heading in English, Russian or Polish. Others are left out."""
    known = {heading: field for field, headings in _HEADINGS.items() for heading in headings.split(", ")}
    known |= {_words(field): field for field in FIELDS}
    mapping: dict[str, str] = {}
    for column in columns:
        # The second of two equal headings comes as «Phone (2)».
        field = known.get(_words(re.sub(r" \(\d+\)$", "", column)))
        if field and (field in SEVERAL or field not in mapping.values()):
            mapping[column] = field
    return mapping


def check_mapping(columns: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Refuse a mapping that names a column or field that is not there, fills one field twice, or fills none."""
    if not mapping:
        raise Invalid("no column is mapped to a field", field="mapping", columns=list(columns), fields=sorted(FIELDS))
    for column, field in mapping.items():
        if column not in columns:
            raise Invalid("the list has no such column", field="mapping", column=column, columns=list(columns))
        if field not in FIELDS:
            raise Invalid("there is no such field", field="mapping", unknown=field, fields=sorted(FIELDS))
    single = [field for field in mapping.values() if field not in SEVERAL]
    if twice := sorted({field for field in single if single.count(field) > 1}):
        raise Invalid("several columns fill one field", field="mapping", fields=twice)


def _words(heading: str) -> str:
    return _WORDS.sub(" ", heading.casefold()).strip()
