"""What was sold and what came back, by store and business day: the figures that every report adds up."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from till_events.order import PurchaseRecorded, PurchaseReturned
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Row, Table

PRODUCT_SALES = Table(
    "product_sales",
    {
        "business_date": "date",
        "store_id": "text",
        "product_id": "text",
        "currency": "text",
        "unit": "text",
        "lines": "bigint",
        "quantity": "numeric",
        "sales_minor": "bigint",
        "discount_minor": "bigint",
        "returned_lines": "bigint",
        "returned_quantity": "numeric",
        "refunds_minor": "bigint",
    },
    key=("business_date", "store_id", "product_id", "currency", "unit"),
)
RECEIPTS = Table(
    "receipts",
    {
        "business_date": "date",
        "store_id": "text",
        "channel": "text",
        "operator_id": "text",
        "currency": "text",
        "receipts": "bigint",
        "lines": "bigint",
        "sales_minor": "bigint",
        "returns": "bigint",
        "returned_lines": "bigint",
        "refunds_minor": "bigint",
    },
    key=("business_date", "store_id", "channel", "operator_id", "currency"),
)
TENDERS = Table(
    "tenders",
    {
        "business_date": "date",
        "store_id": "text",
        "method": "text",
        "currency": "text",
        "sales_minor": "bigint",
        "refunds_minor": "bigint",
    },
    key=("business_date", "store_id", "method", "currency"),
)
UNKNOWN_OPERATOR = ""
"""Stands where a receipt names no operator: a key has no place for nothing."""


class Sales(Projection):
    """Running totals of receipts, their lines and their tenders. A return counts on the day and in the store where it was taken back.

    Every figure is a sum, so the rows come out the same whatever the order in which receipts arrive. Departments and manufacturers
    are not in here: they are looked up when a report is asked for, and a product that was moved to another department moves with its past.
    """

    name: ClassVar[str] = "sales"
    of: ClassVar = (PurchaseRecorded, PurchaseReturned)
    tables: ClassVar = (PRODUCT_SALES, RECEIPTS, TENDERS)

    def fold(self, batch: Batch, db: Db) -> None:
        sums = SalesSums()
        for fact in batch.of(PurchaseRecorded):
            sums.sell(fact.event)
        for returned in batch.of(PurchaseReturned):
            sums.take_back(returned.event)
        for table, rows in sums.rows():
            db.add(table, rows, sums=table.others)


class SalesSums:
    """The totals of some receipts and returns, by the keys of the tables."""

    def __init__(self) -> None:
        zero = Decimal(0)
        self._products: dict[tuple[date, str, str, str, str], list[Any]] = defaultdict(
            lambda: [0, zero, 0, 0, 0, zero, 0]
        )
        self._receipts: dict[tuple[date, str, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
        self._tenders: dict[tuple[date, str, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def sell(self, event: PurchaseRecorded) -> None:
        day, store, currency = event.business_date, event.store_id, event.currency
        products = self._products
        for line in event.lines:
            total = products[day, store, line.product_id, currency, line.unit]
            total[0] += 1
            total[1] += line.quantity
            total[2] += line.paid_minor
            for discount in line.discounts:
                total[3] += discount.amount_minor
        for tender in event.tenders:
            self._tenders[day, store, tender.method, currency][0] += tender.amount_minor
        receipts = self._receipts[day, store, event.channel, event.operator_id or UNKNOWN_OPERATOR, currency]
        receipts[0] += 1
        receipts[1] += len(event.lines)
        receipts[2] += event.total_minor

    def take_back(self, event: PurchaseReturned) -> None:
        day, store, currency = event.business_date, event.store_id, event.currency
        for line in event.lines:
            total = self._products[day, store, line.product_id, currency, line.unit]
            total[4] += 1
            total[5] += line.quantity
            total[6] += line.refund_minor
        for refund in event.refunds:
            self._tenders[day, store, refund.method, currency][1] += refund.amount_minor
        receipts = self._receipts[day, store, event.channel, event.operator_id or UNKNOWN_OPERATOR, currency]
        receipts[3] += 1
        receipts[4] += len(event.lines)
        receipts[5] += event.total_minor

    def rows(self) -> Iterator[tuple[Table, Iterator[Row]]]:
        """Return the totals as rows of each table."""
        yield PRODUCT_SALES, _rows(self._products)
        yield RECEIPTS, _rows(self._receipts)
        yield TENDERS, _rows(self._tenders)


def _rows(totals: dict[Any, list[Any]]) -> Iterator[Row]:
    return ((*key, *figures) for key, figures in totals.items())
