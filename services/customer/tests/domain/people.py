"""The people these tests are about."""

from datetime import UTC, datetime, timedelta

from till_customer.domain.customer import Customer
from till_events.customer import ConsentGranted, ConsentWithdrawn, CustomerRegistered
from till_events.ids import CustomerId

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANNA = "cust-anna"
PHONE = "+48501234567"
EMAIL = "anna@example.com"


def later(**time: int) -> datetime:
    return NOON + timedelta(**time)


def stranger() -> Customer:
    return Customer(Customer.stream(ANNA))


def registered(**particulars: object) -> CustomerRegistered:
    known = {"name": "Anna Nowak", "phones": (PHONE,), "emails": (EMAIL,), "locale": "pl-PL", "zone": "Europe/Warsaw"}
    return CustomerRegistered(occurred_at=NOON, customer_id=CustomerId(ANNA), **(known | particulars))


def agreed(
    at: datetime = NOON, *, wording: str = "2026-01", address: str = PHONE, channel: str = "sms"
) -> ConsentGranted:
    return ConsentGranted(
        occurred_at=at,
        customer_id=CustomerId(ANNA),
        purpose="marketing",
        channel=channel,
        address=address,
        wording=wording,
        collected_from="till",
    )


def withdrew(at: datetime) -> ConsentWithdrawn:
    return ConsentWithdrawn(
        occurred_at=at,
        customer_id=CustomerId(ANNA),
        purpose="marketing",
        channel="sms",
        address=PHONE,
        collected_from="web",
    )
