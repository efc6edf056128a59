"""The households of the data as people with names and addresses. None of it is real; all of it follows from the household's number.

Phone numbers are of the range that is reserved for fiction (555-0100 to 555-0199), e-mail addresses of a domain that cannot receive.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tillstream.demo.dataset import customer_id

_AREAS = (
    212, 301, 302, 303, 304, 305, 307, 308, 309, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 330, 334, 336, 337, 339, 347,
)  # fmt: skip
_NAMES = {
    "en": ("Ann Ben Clara David Ella Frank Grace Henry", "Miller Baker Smith Taylor Cook Mason"),
    "ru": ("Анна Борис Вера Глеб Дарья Егор Зоя Илья", "Иваненко Петренко Седых Черных Белых Коваль"),
    "pl": ("Anna Bartosz Celina Dawid Ewa Łukasz Grażyna Jerzy", "Nowak Wójcik Mazur Kaczmarek Zając Król"),
}
_LOCALES = ("en", "en", "en", "ru", "pl")


@dataclass(frozen=True)
class Person:
    """A customer of the demo. `agrees_to_sms` and `agrees_to_email` are about messages on orders, `marketing` about offers by e-mail."""

    customer_id: str
    name: str
    phone: str
    email: str
    locale: str
    registered_at: datetime
    agrees_to_sms: bool
    agrees_to_email: bool
    marketing: bool

    @property
    def agrees(self) -> bool:
        return self.agrees_to_sms or self.agrees_to_email


def person(household: int, first_receipt: datetime) -> Person:
    """Return the person of a household, registered the day before the first receipt."""
    locale = _LOCALES[household % len(_LOCALES)]
    first, last = (names.split() for names in _NAMES[locale])
    return Person(
        customer_id=customer_id(household),
        name=f"{first[household % 8]} {last[household // 8 % 6]}",
        phone=f"+1{_AREAS[household // 100 % len(_AREAS)]}55501{household % 100:02d}",
        email=f"{customer_id(household)}@example.com",
        locale=locale,
        registered_at=first_receipt - timedelta(days=1),
        agrees_to_sms=household % 10 < 6,
        agrees_to_email=household % 10 in {0, 2, 4, 6, 7},
        marketing=household % 4 == 0,
    )


COLUMNS = (
    "customer_id", "name", "phone", "email", "locale", "zone", "registered_at",
    "consent_transactional_sms", "consent_transactional_email", "consent_marketing_email",
)  # fmt: skip


def write_list(people: Iterable[Person], path: Path) -> int:
    """Write the customer list as a head office would hand it over, and return the number of rows."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for one in people:
            consents = [_yes(given) for given in (one.agrees_to_sms, one.agrees_to_email, one.marketing)]
            moment = one.registered_at.isoformat()
            out.writerow(
                [one.customer_id, one.name, one.phone, one.email, one.locale, "America/New_York", moment, *consents]
            )
            rows += 1
    return rows


def _yes(given: bool) -> str:
    return "yes" if given else "no"
