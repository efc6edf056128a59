"""Move an order along the chain's workflow, with all that follows from it."""

from dataclasses import dataclass
from datetime import datetime

from till_order.commands.open_store import load_store
from till_order.domain.fulfilment import purchase_id_of, sale_of, slip_of
from till_order.domain.move import Move
from till_order.domain.order import Order
from till_order.domain.receipt import Back, Receipt
from till_order.domain.slip import ReturnSlip
from till_order.domain.workflow import Workflow
from till_platform.domain import Aggregate
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class MoveOrder:
    """Where an order goes next."""

    order_id: str
    move: Move


async def move_order(command: MoveOrder, log: Log, now: datetime) -> Order:
    """Move an order on; what completes it records the purchase, what returns it takes the goods back, in the same commit.

    Raises `IllegalMove` or `NotFullyPaid`.
    """
    order = await log.load(Order, command.order_id)
    workflow = await log.load(Workflow, order.placed.workflow_id)
    before = order.phase
    order.move(command.move, workflow, now)
    touched: list[Aggregate] = [order]
    if order.phase != before:
        if order.phase == "completed":
            touched += await _sold(order, log, now)
        elif order.phase == "returned":
            touched += await _came_back(order, log, now)
    await log.save(*touched)
    return order


async def _sold(order: Order, log: Log, now: datetime) -> list[Aggregate]:
    sale = sale_of(order, await load_store(log, order.placed.store_id), now)
    receipt = await log.find(Receipt, sale.purchase_id)
    receipt.record_sale(sale)
    return [receipt]


async def _came_back(order: Order, log: Log, now: datetime) -> list[Aggregate]:
    """Take back all of the order's goods that did not come back before, and give back the money for them."""
    store = await load_store(log, order.placed.store_id)
    receipt = await log.load(Receipt, purchase_id_of(order, store) or "")
    left = receipt.returnable()
    if not left:
        return []
    slip = slip_of(order, store, now)
    printed = await log.find(ReturnSlip, slip.return_id)
    printed.use_for(slip, receipt.purchase.purchase_id)
    receipt.take_back(slip, [Back(line_id=line.line_id, quantity=line.quantity) for line in left])
    order.give_back_each(receipt.returns[slip.return_id].refunds, slip.return_id, now)
    return [receipt, printed]
