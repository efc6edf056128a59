"""Orders: placed, listed, looked at."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from till_order.api.access import Reader, Seller, may_see_customers
from till_order.api.bodies import Body, DeliveryBody, Id, Lines, Moment
from till_order.api.order_card import HappeningReply, OrderCard, OrderRow
from till_order.api.past import PastVersion, as_of
from till_order.commands.open_store import load_store
from till_order.commands.place_order import PlaceOrder, place_order
from till_order.domain.order import Order
from till_order.domain.placement import OrderConflict
from till_order.domain.store import Store, UnknownStore
from till_order.domain.workflow import DEFAULT
from till_order.projections.order_cards import OrderFilter, list_orders, order_history
from till_platform.domain import Invalid, NotFound
from till_platform.http import ClockDep, CursorDep, LogDep, Once, Page, ReadsDep, Who, problems, tag

router = APIRouter(prefix="/v1/orders", tags=["orders"])
OrderId = Annotated[str, Path(max_length=64)]
Filter = Annotated[str | None, Query(max_length=64)]


def card_for(who: Who, store: Store) -> Callable[[Order], OrderCard]:
    """Return how the caller is shown orders of a store."""
    return partial(OrderCard.of, store=store, personal=may_see_customers(who))


class PlaceOrderBody(Body):
    """What a customer orders. `external_id` is what the store's own system calls it: sent again, it is the same order."""

    store_id: Id
    lines: Lines
    channel: Id = "web"
    delivery: DeliveryBody | None = None
    customer_id: Id | None = None
    external_id: Id | None = None
    operator_id: Id | None = None
    comment: Annotated[str | None, Field(max_length=1_000)] = None
    workflow_id: Id = DEFAULT

    def to_command(self, who: Who) -> PlaceOrder:
        return PlaceOrder(
            store_id=self.store_id,
            lines=[line.line() for line in self.lines],
            channel=self.channel,
            delivery=self.delivery.delivery() if self.delivery else None,
            customer_id=self.customer_id,
            external_id=self.external_id,
            operator_id=self.operator_id or who.subject,
            comment=self.comment,
            workflow_id=self.workflow_id,
        )


@router.post("", status_code=201, responses=problems(UnknownStore, OrderConflict, Invalid))
async def place_one(body: PlaceOrderBody, who: Seller, log: LogDep, clock: ClockDep, once: Once) -> OrderCard:
    """Place an order in one of the caller's stores. 200 if its external id is known and the order is the same."""
    who.must_reach(body.store_id)
    command, reply = body.to_command(who), card_for(who, await load_store(log, body.store_id))
    return await once(lambda: log.retrying(lambda: place_order(command, log, clock.now())), reply)


@router.get("")
async def find_orders(
    who: Reader,
    reads: ReadsDep,
    cursor: CursorDep,
    store_id: Filter = None,
    status: Filter = None,
    phase: Filter = None,
    customer_id: Filter = None,
    number: Annotated[str | None, Query(max_length=128)] = None,
    placed_from: Annotated[Moment | None, Query(description="Placed at or after this time")] = None,
    placed_to: Annotated[Moment | None, Query(description="Placed before this time")] = None,
) -> Page[OrderRow]:
    """List orders, the last placed first."""
    if store_id is not None:
        who.must_reach(store_id)
    wanted = OrderFilter(
        stores=who.store_filter(),
        store_id=store_id,
        status=status,
        phase=phase,
        customer_id=customer_id,
        number=number,
        placed_from=placed_from,
        placed_to=placed_to,
    )
    rows = await list_orders(reads, wanted, cursor.after, cursor.fetch)
    return cursor.page(rows, key=lambda row: (row["placed_at"], row["order_id"]), item=lambda row: OrderRow(**row))


@router.get("/{order_id}", responses=problems(NotFound))
async def show_order(
    order_id: OrderId, who: Reader, log: LogDep, response: Response, version: PastVersion = None
) -> OrderCard:
    """Show an order, as it is or as it was."""
    present = await log.load(Order, order_id)
    who.must_reach(present.placed.store_id)
    order = await as_of(log, present, version)
    tag(response, order.version)
    return card_for(who, await load_store(log, order.placed.store_id))(order)


@router.get("/{order_id}/history", responses=problems(NotFound))
async def show_order_history(order_id: OrderId, who: Reader, log: LogDep, reads: ReadsDep) -> list[HappeningReply]:
    """Tell everything that happened to an order, in order, and who did it."""
    who.must_reach((await log.load(Order, order_id)).placed.store_id)
    return [HappeningReply(**row) for row in await order_history(reads, order_id)]
