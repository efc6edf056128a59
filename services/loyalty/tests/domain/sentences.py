"""The words the loyalty sentences are made of: a programme, a customer's account, purchases and returns."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from till_events.base import Event
from till_events.ids import CustomerId, ProductId, PurchaseId, StoreId, account_id
from till_events.loyalty import (
    Allocation,
    LoyaltyAccountOpened,
    PointsAdjusted,
    ProgrammeRules,
    ProgramRulesPublished,
)
from till_events.order import Line, PurchaseRecorded, PurchaseReturned, Tender
from till_loyalty.domain.account import Account
from till_loyalty.domain.defaults import FROM_THE_BEGINNING, RULES
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.programme import MAIN, Programme
from till_platform.testing import Given, given

NOON = datetime(2024, 3, 1, 17, 0, tzinfo=UTC)
"""Noon in New York, in winter."""

STORE = StoreId("s1")
ANNA = CustomerId("anna")
ACCOUNT = account_id(MAIN, ANNA)


LONG_AGO = NOON - timedelta(days=1000)
EARLIER = NOON - timedelta(days=100)
NEXT_DAY = NOON + timedelta(days=1)
SPENDABLE = NOON + timedelta(days=20)
"""When points earned at noon can be spent, by the default rules."""


def days(count: float) -> timedelta:
    return timedelta(days=count)


def rules(**changes: Any) -> ProgrammeRules:
    return replace(RULES, **changes)


def published(version: int = 1, effective_from: datetime = FROM_THE_BEGINNING, **changes: Any) -> ProgramRulesPublished:
    return ProgramRulesPublished(
        occurred_at=NOON,
        programme_id=MAIN,
        version=version,
        name="Club",
        effective_from=effective_from,
        rules=rules(**changes),
    )


def programme(*versions: ProgramRulesPublished, **changes: Any) -> Programme:
    return given(Programme(Programme.stream(MAIN)), *(versions or (published(**changes),))).aggregate


def opened(at: datetime = LONG_AGO) -> LoyaltyAccountOpened:
    return LoyaltyAccountOpened(
        occurred_at=at, account_id=ACCOUNT, customer_id=ANNA, programme_id=MAIN, tier=RULES.tiers[0].tier
    )


def empty_account() -> Account:
    return Account(Account.stream(ACCOUNT))


def account(*events: Event) -> Given[Account]:
    """Given Anna's account, to which these events happened."""
    return given(empty_account(), opened(), *events)


def purchase(
    number: str = "r1",
    total: int = 100_00,
    *,
    at: datetime = NOON,
    paid: Sequence[tuple[str, int]] | None = None,
    currency: str = "USD",
) -> PurchaseRecorded:
    return PurchaseRecorded(
        occurred_at=at,
        purchase_id=PurchaseId(number),
        store_id=STORE,
        till_id="t1",
        receipt_number=number,
        business_date=at.date(),
        currency=currency,
        total_minor=total,
        lines=(Line(line_id=1, product_id=ProductId("milk"), quantity=Decimal(1), paid_minor=total),),
        tenders=tuple(Tender(*tender) for tender in paid or (("cash", total),)),
        customer_id=ANNA,
    )


def returned(
    slip: str = "back-1",
    total: int = 100_00,
    *,
    of: str | None = "r1",
    at: datetime = NEXT_DAY,
    refunds: Sequence[tuple[str, int]] | None = None,
    currency: str = "USD",
) -> PurchaseReturned:
    return PurchaseReturned(
        occurred_at=at,
        return_id=slip,
        store_id=STORE,
        till_id="t1",
        return_number=slip,
        business_date=at.date(),
        currency=currency,
        total_minor=total,
        lines=(),
        refunds=tuple(Tender(*refund) for refund in refunds or (("cash", total),)),
        purchase_id=PurchaseId(of) if of else None,
        customer_id=ANNA,
    )


def lot(lot_id: str, points: int, *, expires_at: datetime | None = None, available_from: datetime = EARLIER) -> Event:
    """A lot put there by hand, so that a sentence can choose its dates."""
    return PointsAdjusted(
        occurred_at=available_from,
        account_id=ACCOUNT,
        customer_id=ANNA,
        adjustment_id=lot_id,
        points=points,
        allocations=(Allocation(lot_id, points),),
        reason="test",
        available_from=available_from,
        expires_at=expires_at,
    )


def after_purchases(programme_: Programme, *purchases: PurchaseRecorded) -> Given[Account]:
    """Given Anna's account after she bought this."""
    before = account()
    for bought in purchases:
        accrue(before.aggregate, bought, programme_)
    before.aggregate.collect_events()
    return before


def owned(account_: Account) -> int:
    """All points of an account that were not spent, taken back or announced as expired."""
    return sum(lot_.remaining for lot_ in account_.lots.values())
