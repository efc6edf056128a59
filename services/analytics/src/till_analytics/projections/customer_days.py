"""What each customer bought and brought back, by store and business day: who comes again, who spends most, who is drifting away."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import ClassVar

from till_events.base import Event
from till_events.order import PurchaseRecorded, PurchaseReturned
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Row, Table

CUSTOMER_DAYS = Table(
    "days",
    {
        "customer_id": "text",
        "business_date": "date",
        "store_id": "text",
        "currency": "text",
        "receipts": "bigint",
        "sales_minor": "bigint",
        "returns": "bigint",
        "refunds_minor": "bigint",
    },
    key=("customer_id", "business_date", "store_id", "currency"),
)


class CustomerDays(Projection):
    """Running totals of the receipts and returns on which the customer is known. Sums only, so the order of arrival leaves no trace."""

    name: ClassVar[str] = "customer_days"
    of: ClassVar = (PurchaseRecorded, PurchaseReturned)
    tables: ClassVar = (CUSTOMER_DAYS,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.add(CUSTOMER_DAYS, customer_day_rows(fact.event for fact in batch), sums=CUSTOMER_DAYS.others)


def customer_day_rows(events: Iterable[Event]) -> list[Row]:
    """Return the totals of some receipts and returns, by customer, day, store and currency."""
    totals: dict[tuple[str, date, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for event in events:
        assert isinstance(event, PurchaseRecorded | PurchaseReturned)
        if event.customer_id is None:
            continue
        total = totals[event.customer_id, event.business_date, event.store_id, event.currency]
        place = 0 if isinstance(event, PurchaseRecorded) else 2
        total[place] += 1
        total[place + 1] += event.total_minor
    return [(*key, *figures) for key, figures in totals.items()]
