"""Where an order becomes a purchase: completed goods are a receipt like any other, returned ones a slip."""

from datetime import datetime
from decimal import Decimal

from till_events.ids import ProductId, PurchaseId, purchase_id, return_id
from till_events.order import Line
from till_order.domain.order import Order
from till_order.domain.receipt import Sale
from till_order.domain.slip import Slip
from till_order.domain.store import Store

TILL = "orders"
"""Stands for the till on receipts and slips of orders; their numbers are the orders' own."""
DELIVERY = ProductId("delivery")
"""Stands for the product on the line by which a delivery was paid."""


def sale_of(order: Order, store: Store, now: datetime) -> Sale:
    """Return the sale that an order has come to. What the delivery cost is a line of its own, so that lines and tenders agree."""
    day = store.business_date(now)
    placed = order.placed
    return Sale(
        purchase_id=purchase_id(placed.store_id, TILL, placed.number, day),
        store_id=placed.store_id,
        till_id=TILL,
        receipt_number=placed.number,
        business_date=day,
        currency=placed.currency,
        total_minor=order.total_minor,
        lines=(*order.lines, *_delivery_line(order)),
        tenders=order.money.tenders(),
        channel=placed.channel,
        customer_id=placed.customer_id,
        order_id=placed.order_id,
        operator_id=order.history[-1].operator_id,
        occurred_at=now,
    )


def purchase_id_of(order: Order, store: Store) -> PurchaseId | None:
    """Return which purchase a completed order has come to."""
    if order.completed_at is None:
        return None
    day = store.business_date(order.completed_at)
    return purchase_id(order.placed.store_id, TILL, order.placed.number, day)


def slip_of(order: Order, store: Store, now: datetime) -> Slip:
    """Return the slip of an order that came back as a whole."""
    day = store.business_date(now)
    return Slip(
        return_id=return_id(order.placed.store_id, TILL, order.placed.number, day),
        store_id=order.placed.store_id,
        till_id=TILL,
        return_number=order.placed.number,
        business_date=day,
        currency=order.placed.currency,
        occurred_at=now,
        channel=order.placed.channel,
        operator_id=order.history[-1].operator_id,
    )


def _delivery_line(order: Order) -> tuple[Line, ...]:
    delivery = order.placed.delivery
    if delivery is None or delivery.cost_minor == 0:
        return ()
    line_id = max(line.line_id for line in order.lines) + 1
    return (Line(line_id=line_id, product_id=DELIVERY, quantity=Decimal(1), paid_minor=delivery.cost_minor),)
