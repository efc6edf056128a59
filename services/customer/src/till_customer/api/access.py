"""Who of the staff may do what with customers, and who may see who they are."""

from typing import Annotated

from fastapi import Depends

from till_customer.projections.stores import place_of
from till_customer.settings import CustomerSettings
from till_platform.http import ReadsDep, SettingsDep, Who, allow

_KNOW_CUSTOMERS = ("cashier", "manager", "marketer", "admin", "integration")

Reader = Annotated[Who, allow()]
"""Everybody; analysts and auditors are shown no more of the person than tells two apart."""

Host = Annotated[Who, allow(*_KNOW_CUSTOMERS)]
"""Those who deal with customers in person or in writing."""

Registrar = Annotated[Who, allow("cashier", "manager", "admin", "integration")]
Importer = Annotated[Who, allow("manager", "marketer", "admin", "integration")]


def sees_persons(who: Who) -> bool:
    """Whether the caller may see who a customer is."""
    return who.is_any(*_KNOW_CUSTOMERS)


async def _settings(settings: SettingsDep) -> CustomerSettings:
    assert isinstance(settings, CustomerSettings)
    return settings


CustomerSettingsDep = Annotated[CustomerSettings, Depends(_settings)]


class Surroundings:
    """Where a request comes from: the shop it names, else the only shop the caller works in, else the chain's own country."""

    def __init__(self, who: Who, reads: ReadsDep, settings: CustomerSettings) -> None:
        self._who = who
        self._reads = reads
        self._settings = settings

    async def country_and_zone(self, store_id: str | None = None) -> tuple[str | None, str]:
        """Return the country in which phones are meant, if it is known, and the time zone."""
        stores = self._who.store_filter() or []
        store_id = store_id or (stores[0] if len(stores) == 1 else None)
        place = await place_of(self._reads, store_id) if store_id else None
        if place is None:
            return self._settings.default_country, self._settings.default_zone
        return place.country or self._settings.default_country, place.zone


async def _surroundings(who: Reader, reads: ReadsDep, settings: CustomerSettingsDep) -> Surroundings:
    return Surroundings(who, reads, settings)


SurroundingsDep = Annotated[Surroundings, Depends(_surroundings)]
