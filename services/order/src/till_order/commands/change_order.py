"""Change what is ordered, and record what is paid for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from till_events.order import Line
from till_order.domain.order import Order
from till_order.domain.payment import Payment
from till_platform.eventstore.log import Log

Check = Callable[[Order], None]
"""Refuses an order that the caller may not touch, before anything is decided."""


@dataclass(frozen=True, kw_only=True)
class ChangeLines:
    """The new lines of an order, whole, and how money goes back if less is ordered than was paid."""

    order_id: str
    lines: Sequence[Line]
    operator_id: str | None = None
    refund: Payment | None = None


@dataclass(frozen=True, kw_only=True)
class MovePayment:
    """Money that arrived for an order, or that goes back."""

    order_id: str
    payment: Payment


async def change_lines(command: ChangeLines, log: Log, check: Check, now: datetime) -> Order:
    """Replace an order's lines. Raises `TooLate` or `Overpaid`."""
    order = await log.load(Order, command.order_id)
    check(order)
    order.change_lines(command.lines, now, operator_id=command.operator_id, refund=command.refund)
    await log.save(order)
    return order


async def record_payment(command: MovePayment, log: Log, check: Check, now: datetime) -> Order:
    """Record a payment, once per payment id. Raises `Overpaid`, `TooLate` or `PaymentConflict`."""
    order = await log.load(Order, command.order_id)
    check(order)
    order.pay(command.payment, now)
    await log.save(order)
    return order


async def record_refund(command: MovePayment, log: Log, check: Check, now: datetime) -> Order:
    """Record money that goes back for an open order, once per refund id. Raises `RefundExceedsPayment`, `TooLate` or `PaymentConflict`."""
    order = await log.load(Order, command.order_id)
    check(order)
    order.refund(command.payment, now)
    await log.save(order)
    return order
