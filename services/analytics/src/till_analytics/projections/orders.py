"""Where the chain's orders stand, and who took them."""

from typing import Any, ClassVar, Literal, LiteralString

from till_analytics.domain.period import Period
from till_analytics.projections.scope import IN_STORES, Scope, days_between
from till_events.order import OrderLinesChanged, OrderPlaced, OrderStatusChanged
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

ORDERS = Table(
    "orders",
    {
        "order_id": "text",
        "store_id": "text",
        "channel": "text",
        "operator_id": "text",
        "placed_at": "timestamptz",
        "status": "text",
        "phase": "text",
        "currency": "text",
        "placed_minor": "bigint",
        "total_minor": "bigint",
    },
    key=("order_id",),
    indexes=("(placed_at)",),
)
_PLACED_ON: LiteralString = "(placed_at AT TIME ZONE 'UTC')::date"


class Orders(Projection):
    """One row per order: its present phase and worth, and what it was worth when it was placed."""

    name: ClassVar[str] = "orders"
    of: ClassVar = (OrderPlaced, OrderLinesChanged, OrderStatusChanged)
    tables: ClassVar = (ORDERS,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.insert(ORDERS, (_placed(fact.event) for fact in batch.of(OrderPlaced)))
        totals = {fact.event.order_id: fact.event.total_after_minor for fact in batch.of(OrderLinesChanged)}
        moves = {fact.event.order_id: fact.event for fact in batch.of(OrderStatusChanged)}
        if totals:
            db.execute(
                "UPDATE orders SET total_minor = new.total FROM unnest(%s::text[], %s::bigint[]) AS new (id, total)"
                " WHERE order_id = new.id",
                [list(totals), list(totals.values())],
            )
        if moves:
            db.execute(
                "UPDATE orders SET status = new.status, phase = new.phase"
                " FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (id, status, phase) WHERE order_id = new.id",
                [list(moves), [move.to_status for move in moves.values()], [move.to_phase for move in moves.values()]],
            )


def _placed(event: OrderPlaced) -> tuple[object, ...]:
    return (
        event.order_id,
        event.store_id,
        event.channel,
        event.operator_id,
        event.occurred_at,
        event.status,
        event.phase,
        event.currency,
        event.total_minor,
        event.total_minor,
    )


async def days_of_orders(reads: Reads) -> Period | None:
    """Return the first and the last day (UTC) on which an order was placed."""
    query = f"SELECT min({_PLACED_ON}), max({_PLACED_ON}) FROM orders.orders"
    return await days_between(reads, query)


async def orders_by(
    reads: Reads, by: Literal["phase", "status", "operator", "channel"], scope: Scope
) -> list[dict[str, Any]]:
    """Return the orders placed in the period (UTC days) as they stand now: how many, how many are completed or cancelled, and for how much.

    `upsold_minor` is what changes of the lines added since they were placed; what they took away counts against it.
    """
    key = {"phase": "phase", "status": "status", "operator": "operator_id", "channel": "channel"}[by]
    return await reads.all(
        f"""
        SELECT {key} AS key, currency, count(*) AS orders, count(*) FILTER (WHERE phase = 'completed') AS completed,
            count(*) FILTER (WHERE phase = 'cancelled') AS cancelled, sum(total_minor)::bigint AS total_minor,
            coalesce(sum(total_minor) FILTER (WHERE phase = 'completed'), 0)::bigint AS completed_minor,
            sum(total_minor - placed_minor)::bigint AS upsold_minor
        FROM orders.orders
        WHERE {_PLACED_ON} BETWEEN %(first)s AND %(last)s AND {IN_STORES}
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        scope.parameters,
    )
