"""Customers as they look over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import structs
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from till_customer.domain.customer import Customer
from till_customer.domain.masking import masked, masked_address
from till_customer.domain.profile import Profile

Purpose = Literal["transactional", "marketing", "loyalty", "survey"]
Channel = Literal["sms", "email", "push", "post", "phone"]
Text = Annotated[str, Field(max_length=500)]
StoreId = Annotated[str, Field(min_length=1, max_length=64)]
Country = Annotated[
    str, Field(pattern="^[A-Za-z]{2}$", description="ISO 3166; phones without a country code are read in it.")
]
Texts = Annotated[list[Text], Field(max_length=50)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AcquisitionBody(Body):
    """How the customer came to the chain."""

    source: Annotated[str, Field(min_length=1, max_length=40, examples=["store", "web", "phone", "referral"])]
    campaign: Annotated[str | None, Field(max_length=200)] = None
    answer: Annotated[str | None, Field(max_length=200)] = None


class ConsentBody(Body):
    """What is agreed to. Without an address the only phone or e-mail of the profile is meant."""

    purpose: Purpose
    channel: Channel
    address: Text | None = None
    wording: Annotated[str, Field(min_length=1, max_length=200, description="The version of the text that was shown.")]
    collected_from: Literal["till", "web", "phone", "paper", "import"]
    opt_in: Literal["single", "confirmed", "unknown"] = "single"
    store_id: StoreId | None = None
    country: Country | None = None
    occurred_at: AwareDatetime | None = None


class WithdrawalBody(Body):
    """What is agreed to no longer. Without an address every address of the channel is meant."""

    purpose: Purpose
    channel: Channel
    address: Text | None = None
    collected_from: Literal["till", "web", "phone", "paper", "import", "unsubscribe_link"]
    store_id: StoreId | None = None
    country: Country | None = None
    occurred_at: AwareDatetime | None = None


class ProfileBody(Body):
    """Particulars of a customer. In a change, those left out stay, and null takes an optional one away."""

    name: Text | None = None
    kind: Literal["person", "company"] = "person"
    phones: Texts = []
    emails: Texts = []
    birth_date: date | None = None
    gender: Literal["female", "male", "other"] | None = None
    locale: Annotated[str | None, Field(max_length=35, examples=["pl-PL"])] = None
    zone: Annotated[str | None, Field(max_length=64, examples=["Europe/Warsaw"])] = None
    store_id: StoreId | None = None
    external_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    card_numbers: Texts = []
    interests: Texts = []
    country: Country | None = None
    occurred_at: AwareDatetime | None = None

    def parts(self) -> dict[str, Any]:
        """Return the particulars that are named."""
        return self.model_dump(include=set(Profile.__struct_fields__), exclude_unset=True)


class RegisterBody(ProfileBody):
    """A new customer. Without a `customer_id`, the `external_id` decides who it is, else a new id is given."""

    name: Text
    customer_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    acquisition: AcquisitionBody | None = None
    consents: Annotated[list[ConsentBody], Field(max_length=50)] = []


class Standing(BaseModel):
    """How a consent stands."""

    purpose: str
    channel: str
    address: str
    granted: bool
    since: datetime
    wording: str | None


class CustomerReply(BaseModel):
    """A customer as known now. `possible_duplicates` share a phone or an address, as households do; told on registering only."""

    customer_id: str
    version: int
    registered_at: datetime
    name: str
    kind: str
    phones: list[str]
    emails: list[str]
    birth_date: date | None
    gender: str | None
    locale: str
    zone: str
    store_id: str | None
    external_id: str | None
    card_numbers: list[str]
    interests: list[str]
    acquisition: AcquisitionBody | None
    consents: list[Standing]
    masked: bool = False
    possible_duplicates: list[str] = []

    @classmethod
    def of(
        cls, customer: Customer, *, sees_persons: bool = True, resembling: list[str] | None = None
    ) -> "CustomerReply":
        """Return the customer as this caller may see it."""
        profile = customer.known if sees_persons else masked(customer.known)
        acquisition = structs.asdict(customer.acquisition) if customer.acquisition else None
        return cls.model_validate(
            {
                **structs.asdict(profile),
                "customer_id": customer.identity,
                "version": customer.version,
                "registered_at": customer.registered_at,
                "acquisition": acquisition,
                "consents": standings(customer, sees_persons=sees_persons),
                "masked": not sees_persons,
                "possible_duplicates": [other for other in resembling or () if other != customer.identity],
            }
        )


def standings(customer: Customer, *, sees_persons: bool) -> list[Standing]:
    """Return how each consent stands, by purpose, channel and address."""
    return [
        Standing(
            purpose=key.purpose,
            channel=key.channel,
            address=key.address if sees_persons else masked_address(key.address),
            granted=standing.granted,
            since=standing.since,
            wording=standing.wording,
        )
        for key, standing in sorted(customer.consents.items())
    ]
