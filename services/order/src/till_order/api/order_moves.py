"""What is done with an order once it is placed."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from till_order.api.access import Seller
from till_order.api.bodies import Body, Id, Lines, Moment, PaymentBody, RefundBody
from till_order.api.order_card import OrderCard
from till_order.api.orders import OrderId, card_for
from till_order.commands.change_order import ChangeLines, MovePayment, change_lines, record_payment, record_refund
from till_order.commands.move_order import MoveOrder, move_order
from till_order.commands.open_store import load_store
from till_order.domain.move import IllegalMove, Move
from till_order.domain.order import Order, TooLate
from till_order.domain.payment import NotFullyPaid, Overpaid, PaymentConflict, RefundExceedsPayment
from till_platform.domain import NotFound
from till_platform.eventstore.errors import VersionConflict
from till_platform.http import ClockDep, LogDep, Once, Version, problems, tag

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"])


async def _reply(order_id: OrderId, who: Seller, log: LogDep) -> Callable[[Order], OrderCard]:
    """Let nobody on who does not reach the order's store, which never changes."""
    order = await log.load(Order, order_id)
    who.must_reach(order.placed.store_id)
    return card_for(who, await load_store(log, order.placed.store_id))


CardReply = Annotated[Callable[[Order], OrderCard], Depends(_reply)]


class LinesBody(Body):
    """What is ordered from now on, whole, and how the difference goes back if less is ordered than was paid."""

    lines: Lines
    refund: RefundBody | None = None
    operator_id: Id | None = None


class StatusBody(Body):
    """Where the order goes. A promise made now is the one customers are told; `payment` is money taken at the door."""

    status: Id
    reason: Annotated[str | None, Field(max_length=500)] = None
    promised_from: Moment | None = None
    promised_to: Moment | None = None
    payment: PaymentBody | None = None
    operator_id: Id | None = None


@router.patch("", responses=problems(NotFound, TooLate, Overpaid, PaymentConflict, VersionConflict))
async def change_order(
    order_id: OrderId,
    body: LinesBody,
    version: Version,
    who: Seller,
    reply: CardReply,
    log: LogDep,
    clock: ClockDep,
    response: Response,
) -> OrderCard:
    """Replace an order's lines, while it is new or in approval. `If-Match` names the version that is changed."""
    command = ChangeLines(
        order_id=order_id,
        version=version,
        lines=[line.line() for line in body.lines],
        operator_id=body.operator_id or who.subject,
        refund=body.refund.payment() if body.refund else None,
    )
    order = await change_lines(command, log, clock.now())
    tag(response, order.version)
    return reply(order)


@router.post("/payments", status_code=201, responses=problems(NotFound, Overpaid, TooLate, PaymentConflict))
async def pay_order(
    order_id: OrderId, body: PaymentBody, reply: CardReply, log: LogDep, clock: ClockDep, once: Once
) -> OrderCard:
    """Record money that arrived. The same payment id again changes nothing."""
    command = MovePayment(order_id=order_id, payment=body.payment())
    return await once(lambda: log.retrying(lambda: record_payment(command, log, clock.now())), reply)


@router.post("/refunds", status_code=201, responses=problems(NotFound, RefundExceedsPayment, TooLate, PaymentConflict))
async def refund_order(
    order_id: OrderId, body: RefundBody, reply: CardReply, log: LogDep, clock: ClockDep, once: Once
) -> OrderCard:
    """Record money that goes back for an order that is still open. The same refund id again changes nothing."""
    command = MovePayment(order_id=order_id, payment=body.payment())
    return await once(lambda: log.retrying(lambda: record_refund(command, log, clock.now())), reply)


@router.post("/status", responses=problems(NotFound, IllegalMove, NotFullyPaid, Overpaid))
async def change_status(
    order_id: OrderId, body: StatusBody, who: Seller, reply: CardReply, log: LogDep, clock: ClockDep, once: Once
) -> OrderCard:
    """Move an order along the chain's workflow.

    Completing records the purchase and needs the order to be paid; cancelling gives the money back; returning takes all goods back. A move
    the workflow does not have is refused with those it has.
    """
    command = MoveOrder(
        order_id=order_id,
        move=Move(
            to_status=body.status,
            reason=body.reason,
            operator_id=body.operator_id or who.subject,
            promised_from=body.promised_from,
            promised_to=body.promised_to,
            payment=body.payment.payment() if body.payment else None,
        ),
    )
    return await once(lambda: log.retrying(lambda: move_order(command, log, clock.now())), reply)
