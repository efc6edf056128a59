"""What only this service is told from outside: where its customers live if nothing says so."""

from pydantic import Field, field_validator

from till_customer.domain import places
from till_platform.settings import Settings


class CustomerSettings(Settings):
    """What is meant when neither the customer nor the shop tells the country, the language or the time zone."""

    service: str = "customer"

    default_country: str | None = None
    default_locale: str = "en"
    default_zone: str = "UTC"

    upload_bytes: int = Field(default=100_000_000, ge=1)
    """The longest customer list that is taken."""

    @field_validator("default_country")
    @classmethod
    def _known_country(cls, value: str | None) -> str | None:
        return places.country(value) if value else None

    @field_validator("default_locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        return places.locale(value)

    @field_validator("default_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return places.zone(value)
