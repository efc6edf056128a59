"""What customers agreed to: giving, withdrawing, and every word of it."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from till_customer.api.access import Host, Reader, SurroundingsDep, sees_persons
from till_customer.api.schemas import ConsentBody, Standing, WithdrawalBody, standings
from till_customer.commands.grant_consent import Consent, GrantConsent, grant_consent
from till_customer.commands.withdraw_consent import WithdrawConsent, withdraw_consent
from till_customer.domain.customer import Customer, NoAddress
from till_customer.domain.masking import masked_address
from till_customer.projections.consents import words_of
from till_platform.domain import NotFound
from till_platform.http import ClockDep, LogDep, Once, ReadsDep, problems

router = APIRouter(prefix="/v1/customers/{customer_id}", tags=["consents"])


class ConsentsReply(BaseModel):
    """How a customer's consents stand after a command."""

    customer_id: str
    version: int
    consents: list[Standing]

    @classmethod
    def of(cls, customer: Customer) -> "ConsentsReply":
        return cls(
            customer_id=customer.identity, version=customer.version, consents=standings(customer, sees_persons=True)
        )


class Word(BaseModel):
    """One thing a customer said about a consent, and where and when. `event_id` is what a message refers to that relied on it."""

    event_id: str
    purpose: str
    channel: str
    address: str
    granted: bool
    occurred_at: datetime
    recorded_at: datetime
    collected_from: str
    wording: str | None
    opt_in: str | None
    store_id: str | None
    actor: str | None


class History(BaseModel):
    """How consents stand now, and all that was said, the latest first. The history is a moment behind."""

    customer_id: str
    consents: list[Standing]
    history: list[Word]


@router.post("/consents", status_code=201, responses=problems(NotFound, NoAddress))
async def grant(
    customer_id: str, body: ConsentBody, who: Host, around: SurroundingsDep, log: LogDep, clock: ClockDep, once: Once
) -> ConsentsReply:
    """Record that a customer agrees to be written to, for one purpose, by one channel, at one address."""
    told = await _told(body, who, around)
    command = GrantConsent(customer_id=customer_id, consent=Consent(**told))
    return await once(
        lambda: log.retrying(lambda: grant_consent(command, log, clock.now())),
        ConsentsReply.of,
    )


@router.post("/consents:withdraw", responses=problems(NotFound, NoAddress))
async def withdraw(
    customer_id: str, body: WithdrawalBody, who: Host, around: SurroundingsDep, log: LogDep, clock: ClockDep, once: Once
) -> ConsentsReply:
    """Record that a customer no longer agrees. It counts from the moment it happened, whenever we hear of it."""
    told = await _told(body, who, around)
    command = WithdrawConsent(customer_id=customer_id, **told)
    return await once(
        lambda: log.retrying(lambda: withdraw_consent(command, log, clock.now())),
        ConsentsReply.of,
    )


@router.get("/consents", responses=problems(NotFound))
async def show(customer_id: str, who: Reader, log: LogDep, reads: ReadsDep) -> History:
    """Show how a customer's consents stand, and how they came about."""
    customer = await log.load(Customer, customer_id)
    sees = sees_persons(who)
    return History(
        customer_id=customer_id,
        consents=standings(customer, sees_persons=sees),
        history=[_word(row, sees_persons=sees) for row in await words_of(reads, customer_id)],
    )


async def _told(body: ConsentBody | WithdrawalBody, who: Host, around: SurroundingsDep) -> dict[str, Any]:
    if body.store_id:
        who.must_reach(body.store_id)
    country, _ = await around.country_and_zone(body.store_id)
    return {**body.model_dump(), "country": body.country or country}


def _word(row: dict[str, Any], *, sees_persons: bool) -> Word:
    address = row["address"] if sees_persons else masked_address(row["address"])
    return Word.model_validate({**row, "event_id": str(row["event_id"]), "address": address})
