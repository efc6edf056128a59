"""What was sold and what came back, receipt by receipt."""

from datetime import date
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from till_events.order import PurchaseRecorded, PurchaseReturned
from till_order.projections.conditions import matching
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

RECEIPTS = Table(
    "receipts",
    {
        "purchase_id": "text NOT NULL",
        "store_id": "text NOT NULL",
        "till_id": "text NOT NULL",
        "receipt_number": "text NOT NULL",
        "business_date": "date NOT NULL",
        "occurred_at": "timestamptz NOT NULL",
        "currency": "text NOT NULL",
        "total_minor": "bigint NOT NULL",
        "line_count": "integer NOT NULL",
        "channel": "text NOT NULL",
        "customer_id": "text",
        "card_number": "text",
        "order_id": "text",
    },
    key=("purchase_id",),
    indexes=(
        "(store_id, occurred_at DESC, purchase_id DESC)",
        "(occurred_at DESC, purchase_id DESC)",
        "(customer_id, occurred_at DESC, purchase_id DESC) WHERE customer_id IS NOT NULL",
    ),
)
RETURNS = Table(
    "returns",
    {
        "return_id": "text NOT NULL",
        "purchase_id": "text",
        "store_id": "text NOT NULL",
        "till_id": "text NOT NULL",
        "return_number": "text NOT NULL",
        "business_date": "date NOT NULL",
        "occurred_at": "timestamptz NOT NULL",
        "currency": "text NOT NULL",
        "total_minor": "bigint NOT NULL",
        "customer_id": "text",
        "order_id": "text",
    },
    key=("return_id",),
    indexes=("(purchase_id) WHERE purchase_id IS NOT NULL", "(occurred_at DESC, return_id DESC)"),
)


class ReceiptFilter(Struct, frozen=True, kw_only=True):
    """Which receipts or returns to show; `stores` are those the caller reaches, None for all."""

    stores: list[str] | None = None
    store_id: str | None = None
    customer_id: str | None = None
    business_date: date | None = None


class Receipts(Projection):
    """The heads of receipts and return slips; their lines are read from the log."""

    name = "receipts"
    of = (PurchaseRecorded, PurchaseReturned)
    tables = (RECEIPTS, RETURNS)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(RECEIPTS, (_receipt(fact.event) for fact in batch.of(PurchaseRecorded)))
        db.upsert(RETURNS, (_return(fact.event) for fact in batch.of(PurchaseReturned)))


async def list_receipts(
    reads: Reads, wanted: ReceiptFilter, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    """Return receipts, the latest sale first, with what was given back of each."""
    given_back = """
        SELECT coalesce(sum(back.total_minor), 0)::bigint FROM receipts.returns AS back
        WHERE back.purchase_id = receipts.purchase_id
    """
    columns = f"*, ({given_back}) AS returned_minor"
    return await _latest(reads, f"SELECT {columns} FROM receipts.receipts", "purchase_id", wanted, after, limit)


async def list_returns(
    reads: Reads, wanted: ReceiptFilter, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    """Return return slips, with and without receipts, the latest first."""
    return await _latest(reads, "SELECT * FROM receipts.returns", "return_id", wanted, after, limit)


async def _latest(
    reads: Reads, select: str, identity: str, wanted: ReceiptFilter, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    conditions = matching(
        {
            "store_id = ANY(%(stores)s)": wanted.stores,
            "store_id = %(store_id)s": wanted.store_id,
            "customer_id = %(customer_id)s": wanted.customer_id,
            "business_date = %(business_date)s": wanted.business_date,
            f"(occurred_at, {identity}) < (%(at)s, %(last)s)": after,
        }
    )
    at, last = after or (None, None)
    return await reads.all(
        f"{select} WHERE {conditions} ORDER BY occurred_at DESC, {identity} DESC LIMIT %(limit)s",
        {**asdict(wanted), "at": at, "last": last, "limit": limit},
    )


def _receipt(event: PurchaseRecorded) -> tuple[Any, ...]:
    return (
        event.purchase_id,
        event.store_id,
        event.till_id,
        event.receipt_number,
        event.business_date,
        event.occurred_at,
        event.currency,
        event.total_minor,
        len(event.lines),
        event.channel,
        event.customer_id,
        event.card_number,
        event.order_id,
    )


def _return(event: PurchaseReturned) -> tuple[Any, ...]:
    return (
        event.return_id,
        event.purchase_id,
        event.store_id,
        event.till_id,
        event.return_number,
        event.business_date,
        event.occurred_at,
        event.currency,
        event.total_minor,
        event.customer_id,
        event.order_id,
    )
