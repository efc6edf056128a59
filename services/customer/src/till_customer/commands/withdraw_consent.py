from dataclasses import dataclass
from datetime import datetime

from till_customer.domain.customer import Customer
from till_customer.domain.moments import happened_at
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class WithdrawConsent:
    """A customer no longer agrees; without an address, at none of the channel's addresses."""

    customer_id: str
    purpose: str
    channel: str
    collected_from: str
    address: str | None = None
    store_id: str | None = None
    country: str | None = None
    occurred_at: datetime | None = None


async def withdraw_consent(command: WithdrawConsent, log: Log, now: datetime) -> Customer:
    """Record a withdrawal. It is heard even where nothing was granted. Raises `NoAddress` or `Invalid`."""
    customer = await log.load(Customer, command.customer_id)
    customer.withdraw_consent(
        command.purpose,
        command.channel,
        command.address,
        collected_from=command.collected_from,
        store_id=command.store_id,
        country=command.country,
        at=happened_at(command.occurred_at, now),
    )
    await log.save(customer)
    return customer
