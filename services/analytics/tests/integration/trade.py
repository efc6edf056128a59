"""A quarter of trade of a small chain, the same on every run: enough of everything that every report has something to add up."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from till_events.customer import Acquisition, CustomerRegistered
from till_events.order import (
    Discount,
    Line,
    ProductChanged,
    ProductListed,
    PurchaseRecorded,
    PurchaseReturned,
    ReturnedLine,
    StoreOpened,
    Tender,
)

FIRST = date(2026, 7, 1)
DAYS = 92
LAST = FIRST + timedelta(days=DAYS - 1)
STORES = ("s1", "s2", "s3")
DEPARTMENTS = {"milk": "DAIRY", "cheese": "DAIRY", "bread": "BAKERY", "fuel": None}
PRODUCTS = (*DEPARTMENTS, "unlisted")


@dataclass(frozen=True)
class Trade:
    events: list
    """Everything, in the order it happened."""

    @property
    def purchases(self) -> list[PurchaseRecorded]:
        return [event for event in self.events if isinstance(event, PurchaseRecorded)]

    @property
    def returns(self) -> list[PurchaseReturned]:
        return [event for event in self.events if isinstance(event, PurchaseReturned)]

    def until(self, day: date) -> "Trade":
        """What was loaded by the end of a business day."""
        return Trade([event for event in self.events if getattr(event, "business_date", day) <= day])


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def trade(seed: int = 7, receipts: int = 400) -> Trade:
    """Return stores, products, customers, receipts and returns. Customers' habits differ, so that there is something to rank."""
    chance = random.Random(seed)
    opening = noon(FIRST - timedelta(days=30))
    events: list = [
        StoreOpened(occurred_at=opening, store_id=store, name=f"Store {store}", zone="Europe/Warsaw", currency="USD")
        for store in STORES
    ]
    events += [
        ProductListed(
            occurred_at=opening, product_id=product, name=product.title(), department="OLD", brand="B", manufacturer="M"
        )
        for product in DEPARTMENTS
    ]
    events += [
        ProductChanged(
            occurred_at=opening,
            product_id=product,
            name=product.title(),
            department=department,
            brand="B",
            manufacturer="M",
        )
        for product, department in DEPARTMENTS.items()
    ]
    customers = [f"c{number:02}" for number in range(40)]
    events += [
        CustomerRegistered(
            occurred_at=opening, customer_id=customer, name="-", store_id="s1", acquisition=Acquisition(source="web")
        )
        for customer in [*customers, "looker"]
    ]
    receipts_made = [_purchase(chance, number, customers) for number in range(receipts)]
    for number, bought in enumerate(receipts_made):
        events.append(bought)
        if chance.random() < 0.15:
            events.append(_return(chance, number, bought))
    return Trade(events)


def _purchase(chance: random.Random, number: int, customers: list[str]) -> PurchaseRecorded:
    customer = customers[min(int(chance.expovariate(0.08)), len(customers) - 1)]
    day = FIRST + timedelta(days=chance.randrange(DAYS - (int(customer[1:]) % 40)))
    lines = tuple(
        Line(
            line_id=place,
            product_id=chance.choice(PRODUCTS),
            quantity=Decimal(chance.choice([0, 1, 2, 3])) if chance.random() < 0.9 else Decimal("0.755"),
            paid_minor=chance.choice([0, 99, 250, 1_999]),
            discounts=(Discount("card_price", 10),) if chance.random() < 0.3 else (),
        )
        for place in range(1, chance.randint(1, 5) + 1)
    )
    total = sum(line.paid_minor for line in lines)
    cash = chance.randint(0, total)
    return PurchaseRecorded(
        occurred_at=noon(day),
        purchase_id=f"p{number}",
        store_id=chance.choice(STORES),
        till_id="1",
        receipt_number=str(number),
        business_date=day,
        currency="USD" if chance.random() < 0.9 else "PLN",
        total_minor=total,
        lines=lines,
        tenders=(Tender("cash", cash), Tender("card", total - cash)),
        channel=chance.choice(["store", "store", "web"]),
        customer_id=customer if chance.random() < 0.9 else None,
        operator_id=chance.choice([None, "17", "18"]),
    )


def _return(chance: random.Random, number: int, bought: PurchaseRecorded) -> PurchaseReturned:
    line = chance.choice(bought.lines)
    day = min(LAST, bought.business_date + timedelta(days=chance.randint(0, 20)))
    return PurchaseReturned(
        occurred_at=noon(day),
        return_id=f"r{number}",
        store_id=bought.store_id,
        till_id="1",
        return_number=str(number),
        business_date=day,
        currency=bought.currency,
        total_minor=line.paid_minor,
        lines=(
            ReturnedLine(
                product_id=line.product_id, quantity=line.quantity, refund_minor=line.paid_minor, line_id=line.line_id
            ),
        ),
        refunds=(Tender("cash", line.paid_minor),),
        channel=bought.channel,
        purchase_id=bought.purchase_id,
        customer_id=bought.customer_id,
        operator_id=bought.operator_id,
    )
