from dataclasses import dataclass
from datetime import datetime

from till_customer.domain.customer import Customer
from till_customer.domain.moments import happened_at
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a customer agrees to: for one purpose, by one channel, at one address; without an address, at the only one they have."""

    purpose: str
    channel: str
    wording: str
    collected_from: str
    address: str | None = None
    opt_in: str = "single"
    store_id: str | None = None
    country: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class GrantConsent:
    """A customer agrees to be written to."""

    customer_id: str
    consent: Consent


async def grant_consent(command: GrantConsent, log: Log, now: datetime) -> Customer:
    """Record a consent. Raises `NoAddress` or `Invalid`."""
    customer = await log.load(Customer, command.customer_id)
    hear_consent(customer, command.consent, now)
    await log.save(customer)
    return customer


def hear_consent(customer: Customer, consent: Consent, now: datetime) -> None:
    """Let a customer agree. Who does not say when, and has agreed to the same words already, says nothing new."""
    if consent.occurred_at is None and _stands(customer, consent):
        return
    customer.grant_consent(
        consent.purpose,
        consent.channel,
        consent.address,
        wording=consent.wording,
        collected_from=consent.collected_from,
        opt_in=consent.opt_in,
        store_id=consent.store_id,
        country=consent.country,
        at=happened_at(consent.occurred_at, now),
    )


def _stands(customer: Customer, consent: Consent) -> bool:
    key = customer.subject(consent.purpose, consent.channel, consent.address, consent.country)
    return customer.agrees(key) and customer.consents[key].wording == " ".join(consent.wording.split())
