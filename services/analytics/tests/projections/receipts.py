"""Receipts and returns as any chain might have them: few stores, days and products, so that totals really meet."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import strategies as st

from till_events.order import Discount, Line, PurchaseRecorded, PurchaseReturned, ReturnedLine, Tender

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
DAYS = [date(2026, 11, 16) + timedelta(days=n) for n in range(3)]
money = st.integers(0, 10_000)
quantities = st.decimals(0, 90_000, places=3, allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal(0), Decimal(1), Decimal(89_638)]
)
products = st.sampled_from(["milk", "bread", "fuel"])
units = st.sampled_from(["C62", "MLT"])
where_and_when = st.fixed_dictionaries(
    {
        "store_id": st.sampled_from(["s1", "s2"]),
        "business_date": st.sampled_from(DAYS),
        "currency": st.sampled_from(["USD", "PLN"]),
        "channel": st.sampled_from(["store", "web"]),
        "customer_id": st.sampled_from([None, "anna", "boris"]),
        "operator_id": st.sampled_from([None, "17"]),
    }
)


@st.composite
def tenders(draw, total: int) -> tuple[Tender, ...]:
    cash = draw(st.integers(0, total))
    return (Tender("cash", cash), Tender("card", total - cash))


@st.composite
def purchases(draw) -> PurchaseRecorded:
    lines = tuple(
        Line(
            line_id=place,
            product_id=draw(products),
            quantity=draw(quantities),
            unit=draw(units),
            paid_minor=draw(money),
            discounts=tuple(Discount("coupon", amount) for amount in draw(st.lists(money, max_size=2))),
        )
        for place in range(1, draw(st.integers(1, 4)) + 1)
    )
    total = sum(line.paid_minor for line in lines)
    number = str(draw(st.integers(1, 10**9)))
    return PurchaseRecorded(
        occurred_at=NOON,
        purchase_id=number,
        till_id="1",
        receipt_number=number,
        total_minor=total,
        lines=lines,
        tenders=draw(tenders(total)),
        **draw(where_and_when),
    )


@st.composite
def returns(draw) -> PurchaseReturned:
    lines = tuple(
        ReturnedLine(product_id=draw(products), quantity=draw(quantities), unit=draw(units), refund_minor=draw(money))
        for _ in range(draw(st.integers(1, 3)))
    )
    total = sum(line.refund_minor for line in lines)
    number = str(draw(st.integers(1, 10**9)))
    return PurchaseReturned(
        occurred_at=NOON,
        return_id=number,
        till_id="1",
        return_number=number,
        total_minor=total,
        lines=lines,
        refunds=draw(tenders(total)),
        **draw(where_and_when),
    )


days_of_trade = st.lists(purchases() | returns(), max_size=12)


@st.composite
def cut_and_shuffled(draw, events: list) -> list[list]:
    """The same events in any order (every receipt is a key of its own), cut into any batches."""
    shuffled = draw(st.permutations(events))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=4)))
    bounds = [0, *cuts, len(events)]
    return [shuffled[first:last] for first, last in pairwise(bounds)]
