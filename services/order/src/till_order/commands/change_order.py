"""Change what is ordered, and record what is paid for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from till_events.order import Line
from till_order.domain.order import Order
from till_order.domain.payment import Payment
from till_platform.eventstore.errors import VersionConflict
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class ChangeLines:
    """The new lines of an order, whole, and how money goes back if less is ordered than was paid. `version` is the one that is changed."""

    order_id: str
    version: int
    lines: Sequence[Line]
    operator_id: str | None = None
    refund: Payment | None = None


@dataclass(frozen=True, kw_only=True)
class MovePayment:
    """Money that arrived for an order, or that goes back."""

    order_id: str
    payment: Payment


async def change_lines(command: ChangeLines, log: Log, now: datetime) -> Order:
    """Replace an order's lines. Raises `TooLate`, `Overpaid`, or `VersionConflict` if they are not what the caller saw."""
    order = await log.load(Order, command.order_id)
    if order.version != command.version:
        raise VersionConflict(f"this is version {order.version}, not {command.version}", version=order.version)
    order.change_lines(command.lines, now, operator_id=command.operator_id, refund=command.refund)
    if order.pending:
        await log.save(order)
    return order


async def record_payment(command: MovePayment, log: Log, now: datetime) -> Order:
    """Record a payment, once per payment id. Raises `Overpaid`, `TooLate` or `PaymentConflict`."""
    order = await log.load(Order, command.order_id)
    order.pay(command.payment, now)
    if order.pending:
        await log.save(order)
    return order


async def record_refund(command: MovePayment, log: Log, now: datetime) -> Order:
    """Record money that goes back for an open order, once per refund id. Raises `RefundExceedsPayment`, `TooLate` or `PaymentConflict`."""
    order = await log.load(Order, command.order_id)
    order.refund(command.payment, now)
    if order.pending:
        await log.save(order)
    return order
