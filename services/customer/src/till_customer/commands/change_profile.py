from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from till_customer.domain.customer import Customer
from till_customer.domain.known_customers import KnownCustomers, check_not_taken, identifiers_of
from till_customer.domain.moments import happened_at
from till_platform.eventstore.log import Log

Check = Callable[[Customer], None]
"""Refuses a customer in a version the caller did not mean, before anything is decided."""


@dataclass(frozen=True, kw_only=True)
class ChangeProfile:
    """The particulars that are different now; those not named stay. `None` takes an optional one away."""

    customer_id: str
    parts: Mapping[str, Any]
    country: str | None = None
    occurred_at: datetime | None = None


async def change_profile(
    command: ChangeProfile, log: Log, known: KnownCustomers, check: Check, now: datetime
) -> Customer:
    """Correct what is known of a customer. Raises `IdentifierTaken` or `Invalid`."""
    customer = await log.load(Customer, command.customer_id)
    check(customer)
    before = customer.known
    customer.change_profile(command.parts, at=happened_at(command.occurred_at, now), country=command.country)
    after = customer.known
    if (after.external_id, after.card_numbers) != (before.external_id, before.card_numbers):
        check_not_taken(customer.identity, await known.owners(identifiers_of(after.external_id, after.card_numbers)))
    await log.save(customer)
    return customer
