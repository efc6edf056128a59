"""A customer from all sides: who they are, what they agreed to, and everything that ever happened."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from till_customer.api.access import Reader, sees_persons
from till_customer.api.schemas import CustomerReply
from till_customer.domain.customer import Customer
from till_customer.projections.cards import cards_of
from till_customer.projections.timeline_entries import KINDS
from till_customer.projections.timelines import card_owner, loyalty_of, rfm_group_of, timeline_of
from till_platform.domain import Invalid, NotFound
from till_platform.http import CursorDep, LogDep, Page, ReadsDep, Who, problems
from till_platform.projections.reads import Reads

router = APIRouter(prefix="/v1/customers/{customer_id}", tags=["360"])

LATEST = 20
_PERSONAL = ("text", "subject")


class TimelineEntry(BaseModel):
    """One thing that happened. Money and points that came in are above zero; amounts are minor units of `currency`.

    `reference` names what it is about: an order, a purchase, a return, a message, a card.
    """

    event_id: str
    occurred_at: datetime
    kind: str
    reference: str | None
    store_id: str | None
    amount_minor: int | None
    currency: str | None
    points: int | None
    details: dict[str, Any]


class Card(BaseModel):
    card_number: str
    issued_at: datetime
    blocked_at: datetime | None
    blocked_because: str | None


class Loyalty(BaseModel):
    """The tier, and points by what became of them (`accrued`, `redeemed`, …). What can be spent today the loyalty service says."""

    tier: str | None
    points: dict[str, int]


class Customer360(BaseModel):
    """A customer from all sides. The profile and consents are as of now; the rest is a moment behind."""

    customer: CustomerReply
    cards: list[Card]
    loyalty: Loyalty
    rfm_group: str | None
    latest: list[TimelineEntry]


@router.get("/360", responses=problems(NotFound))
async def all_sides(customer_id: str, who: Reader, log: LogDep, reads: ReadsDep) -> Customer360:
    """Show a customer from all sides, with the latest of their timeline."""
    customer = await log.load(Customer, customer_id)
    cards = await cards_of(reads, customer_id)
    entries = await timeline_of(
        reads,
        _owners(customer, (card["card_number"] for card in cards)),
        kinds=None,
        stores=who.store_filter(),
        before=None,
        limit=LATEST,
    )
    return Customer360(
        customer=CustomerReply.of(customer, sees_persons=sees_persons(who)),
        cards=[Card.model_validate(card) for card in cards],
        loyalty=Loyalty.model_validate(await loyalty_of(reads, customer_id)),
        rfm_group=await rfm_group_of(reads, customer_id),
        latest=[_entry(row, who) for row in entries],
    )


@router.get("/timeline", responses=problems(NotFound))
async def timeline(
    customer_id: str,
    who: Reader,
    log: LogDep,
    reads: ReadsDep,
    cursor: CursorDep,
    kind: Annotated[
        list[str] | None,
        Query(max_length=50, description="Only these kinds (`points.accrued`) or groups of kinds (`points`)."),
    ] = None,
) -> Page[TimelineEntry]:
    """List what happened to a customer, the latest first. Who works in certain shops sees what happened there, and in no shop."""
    customer = await log.load(Customer, customer_id)
    rows = await timeline_of(
        reads,
        _owners(customer, await _card_numbers(reads, customer_id)),
        kinds=_kinds(kind),
        stores=who.store_filter(),
        before=_place(cursor),
        limit=cursor.fetch,
    )
    return cursor.page(
        rows, key=lambda row: (row["occurred_at"], str(row["event_id"])), item=lambda row: _entry(row, who)
    )


async def _card_numbers(reads: Reads, customer_id: str) -> list[str]:
    return [card["card_number"] for card in await cards_of(reads, customer_id)]


def _owners(customer: Customer, cards: Iterable[str]) -> list[str]:
    """Name under what a customer's entries are kept: their id, and their cards for receipts that named no one."""
    return [customer.identity, *(card_owner(card) for card in {*cards, *customer.known.card_numbers})]


def _kinds(asked: list[str] | None) -> set[str] | None:
    if not asked:
        return None
    known = set(KINDS.values())
    groups = {kind.partition(".")[0] for kind in known}
    for kind in asked:
        if kind not in known | groups:
            raise Invalid("there is no such kind of entry", field="kind", known=sorted(known | groups))
    return {kind for kind in known if kind in asked or kind.partition(".")[0] in asked}


def _place(cursor: CursorDep) -> tuple[datetime, str] | None:
    if cursor.after is None:
        return None
    occurred_at, event_id = cursor.after
    assert isinstance(occurred_at, datetime)
    return occurred_at, str(event_id)


def _entry(row: dict[str, Any], who: Who) -> TimelineEntry:
    details = row["details"]
    if not sees_persons(who):
        details = {name: value for name, value in details.items() if name not in _PERSONAL}
    return TimelineEntry.model_validate({**row, "event_id": str(row["event_id"]), "details": details})
