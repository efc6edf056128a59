"""Place an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from till_events.ids import CustomerId, StoreId
from till_events.order import Delivery, Line
from till_order.commands.open_store import load_store
from till_order.domain.order import Order
from till_order.domain.placement import Placement, number_for, order_id_for
from till_order.domain.workflow import DEFAULT, Workflow
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class PlaceOrder:
    """What a customer orders in a store. `external_id` is what the store's own system calls the order."""

    store_id: str
    lines: Sequence[Line]
    channel: str = "web"
    delivery: Delivery | None = None
    customer_id: str | None = None
    external_id: str | None = None
    operator_id: str | None = None
    comment: str | None = None
    workflow_id: str = DEFAULT


async def place_order(command: PlaceOrder, log: Log, now: datetime) -> Order:
    """Place an order in the initial status of the chain's workflow. Its external id told again gives the order it was placed as."""
    store = await load_store(log, command.store_id)
    workflow = await log.load(Workflow, command.workflow_id)
    order = await log.find(Order, order_id_for(command.store_id, command.external_id))
    order.place(
        Placement(
            store_id=StoreId(command.store_id),
            number=number_for(order.identity, store, now),
            channel=command.channel,
            currency=store.currency,
            lines=tuple(command.lines),
            delivery=command.delivery,
            customer_id=CustomerId(command.customer_id) if command.customer_id else None,
            external_id=command.external_id,
            operator_id=command.operator_id,
            comment=command.comment,
        ),
        workflow,
        now,
    )
    if order.pending:
        await log.save(order)
    return order
