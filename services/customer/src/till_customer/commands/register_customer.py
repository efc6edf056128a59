from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from till_customer.commands.grant_consent import Consent, hear_consent
from till_customer.domain.customer import Customer
from till_customer.domain.identities import named_by
from till_customer.domain.known_customers import KnownCustomers, check_not_taken, identifiers_of
from till_customer.domain.moments import happened_at
from till_customer.domain.profile import identity, in_form
from till_events.customer import Acquisition
from till_events.ids import new_id
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class RegisterCustomer:
    """Somebody to be known from now on, and what they agreed to on the same form.

    Without a `customer_id` the customer is known by what another system calls them (`external_id`), else by a new id. `country` reads
    phones without a country code.
    """

    parts: Mapping[str, Any]
    customer_id: str | None = None
    country: str | None = None
    acquisition: Acquisition | None = None
    consents: Sequence[Consent] = ()
    occurred_at: datetime | None = None


async def register_customer(command: RegisterCustomer, log: Log, known: KnownCustomers, now: datetime) -> Customer:
    """Register a customer, once. Raises `AlreadyRegistered`, `IdentifierTaken`, `NoAddress` or `Invalid`."""
    external_id = command.parts.get("external_id") or None
    owners = await known.owners(identifiers_of(external_id, command.parts.get("card_numbers") or ()))
    customer = await log.find(Customer, _identity(command, external_id, owners.get(("external_id", external_id or ""))))
    new = not customer.exists
    customer.register(
        command.parts,
        at=happened_at(command.occurred_at, now),
        country=command.country,
        acquisition=command.acquisition,
    )
    check_not_taken(customer.identity, owners)
    if new:
        for consent in command.consents:
            hear_consent(customer, consent, now)
    await log.save(customer)
    return customer


async def resembling(command: RegisterCustomer, known: KnownCustomers, now: datetime) -> list[str]:
    """Name customers who share a phone or an address with the one to be registered. Households do, so it is told and never decided by."""
    reached = {field: command.parts[field] for field in ("phones", "emails") if field in command.parts}
    contacts = in_form(reached, country=command.country, at=now)
    sharing = await known.sharing([contact for contacts_of_kind in contacts.values() for contact in contacts_of_kind])
    return sorted({customer for customers in sharing.values() for customer in customers})


def _identity(command: RegisterCustomer, external_id: str | None, owner: str | None) -> str:
    if command.customer_id:
        return identity(command.customer_id)
    return owner or (named_by(external_id) if external_id else new_id())
