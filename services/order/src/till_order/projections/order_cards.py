"""What a shop's staff sees of its orders: a list, newest first, and who did what with each."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from till_events.order import (
    OrderLinesChanged,
    OrderPaymentRecorded,
    OrderPlaced,
    OrderRefunded,
    OrderStatusChanged,
)
from till_order.domain.payment import payment_state
from till_order.projections.conditions import matching
from till_platform.batch import Batch, Fact
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

ORDERS = Table(
    "orders",
    {
        "order_id": "text NOT NULL",
        "number": "text NOT NULL",
        "store_id": "text NOT NULL",
        "channel": "text NOT NULL",
        "currency": "text NOT NULL",
        "total_minor": "bigint NOT NULL",
        "paid_minor": "bigint NOT NULL",
        "refunded_minor": "bigint NOT NULL",
        "status": "text NOT NULL",
        "phase": "text NOT NULL",
        "placed_at": "timestamptz NOT NULL",
        "changed_at": "timestamptz NOT NULL",
        "promised_from": "timestamptz",
        "promised_to": "timestamptz",
        "customer_id": "text",
        "external_id": "text",
    },
    key=("order_id",),
    indexes=(
        "(store_id, placed_at DESC, order_id DESC)",
        "(placed_at DESC, order_id DESC)",
        "(customer_id, placed_at DESC, order_id DESC) WHERE customer_id IS NOT NULL",
        "(number)",
    ),
)
HISTORY = Table(
    "history",
    {
        "order_id": "text NOT NULL",
        "sequence": "integer NOT NULL",
        "happened": "text NOT NULL",
        "occurred_at": "timestamptz NOT NULL",
        "recorded_at": "timestamptz NOT NULL",
        "actor": "text",
        "status": "text",
        "reason": "text",
        "amount_minor": "bigint",
    },
    key=("order_id", "sequence"),
)

OrderEvent = OrderPlaced | OrderLinesChanged | OrderPaymentRecorded | OrderRefunded | OrderStatusChanged


class OrderFilter(Struct, frozen=True, kw_only=True):
    """Which orders to show; `stores` are those the caller reaches, None for all."""

    stores: list[str] | None = None
    store_id: str | None = None
    status: str | None = None
    phase: str | None = None
    customer_id: str | None = None
    number: str | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None


class OrderCards(Projection):
    """Orders as they stand, and their history with the actors that the log names. Holds nothing personal but ids."""

    name = "order_cards"
    of = (OrderPlaced, OrderLinesChanged, OrderPaymentRecorded, OrderRefunded, OrderStatusChanged)
    tables = (ORDERS, HISTORY)

    def fold(self, batch: Batch, db: Db) -> None:
        rows = db.get(ORDERS, {(fact.event.order_id,) for fact in batch})
        cards = {key[0]: dict(zip(ORDERS.columns, row, strict=True)) for key, row in rows.items()}
        for fact in batch:
            event: OrderEvent = fact.event
            card = cards.setdefault(event.order_id, {})
            card.update(_changes(event, card))
        db.upsert(ORDERS, (tuple(card[column] for column in ORDERS.columns) for card in cards.values()))
        db.upsert(HISTORY, (_step(fact) for fact in batch))


async def list_orders(
    reads: Reads, wanted: OrderFilter, after: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    """Return orders, the last placed first, each with how it stands with the customer's money."""
    conditions = matching(
        {
            "store_id = ANY(%(stores)s)": wanted.stores,
            "store_id = %(store_id)s": wanted.store_id,
            "status = %(status)s": wanted.status,
            "phase = %(phase)s": wanted.phase,
            "customer_id = %(customer_id)s": wanted.customer_id,
            "number = %(number)s": wanted.number,
            "placed_at >= %(placed_from)s": wanted.placed_from,
            "placed_at < %(placed_to)s": wanted.placed_to,
            "(placed_at, order_id) < (%(at)s, %(last)s)": after,
        }
    )
    at, last = after or (None, None)
    rows = await reads.all(
        f"SELECT * FROM order_cards.orders WHERE {conditions} ORDER BY placed_at DESC, order_id DESC LIMIT %(limit)s",
        {**asdict(wanted), "at": at, "last": last, "limit": limit},
    )
    return [row | {"payment": _payment(row)} for row in rows]


async def order_history(reads: Reads, order_id: str) -> list[dict[str, Any]]:
    """Return everything that happened to an order, in order, and who did it."""
    return await reads.all("SELECT * FROM order_cards.history WHERE order_id = %s ORDER BY sequence", [order_id])


def _payment(row: dict[str, Any]) -> str:
    return payment_state(row["total_minor"], row["paid_minor"], row["refunded_minor"], row["phase"])


def _changes(event: OrderEvent, card: dict[str, Any]) -> dict[str, Any]:
    match event:
        case OrderPlaced():
            return _placed(event)
        case OrderLinesChanged():
            changes: dict[str, Any] = {"total_minor": event.total_after_minor}
        case OrderPaymentRecorded():
            changes = {"paid_minor": event.paid_minor}
        case OrderRefunded():
            changes = {
                "paid_minor": event.paid_minor,
                "refunded_minor": card["refunded_minor"] + event.amount_minor,
            }
        case OrderStatusChanged():
            changes = {
                "status": event.to_status,
                "phase": event.to_phase,
                "promised_from": event.promised_from,
                "promised_to": event.promised_to,
            }
    return changes | {"changed_at": event.occurred_at}


def _placed(event: OrderPlaced) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "number": event.number,
        "store_id": event.store_id,
        "channel": event.channel,
        "currency": event.currency,
        "total_minor": event.total_minor,
        "paid_minor": 0,
        "refunded_minor": 0,
        "status": event.status,
        "phase": event.phase,
        "placed_at": event.occurred_at,
        "changed_at": event.occurred_at,
        "promised_from": event.delivery.promised_from if event.delivery else None,
        "promised_to": event.delivery.promised_to if event.delivery else None,
        "customer_id": event.customer_id,
        "external_id": event.external_id,
    }


def _step(fact: Fact[OrderEvent]) -> tuple[Any, ...]:
    event = fact.event
    happened, status, reason, amount = "", None, None, None
    match event:
        case OrderPlaced():
            happened, status, amount = "placed", event.status, event.total_minor
        case OrderLinesChanged():
            happened, amount = "lines_changed", event.total_after_minor
        case OrderPaymentRecorded():
            happened, amount = "paid", event.amount_minor
        case OrderRefunded():
            happened, amount = "refunded", event.amount_minor
        case OrderStatusChanged():
            happened, status, reason = "moved", event.to_status, event.reason
    moments = (event.occurred_at, fact.recorded_at)
    return event.order_id, fact.sequence, happened, *moments, fact.actor, status, reason, amount
