"""Ours in B5: three services of the real platform, no bigger than the job. `python shop.py order|loyalty|notification all`.

Like the real ones they keep what the peer does not: an event for every fact, versions, idempotency keys, dead letters, metrics, probes.
"""

import sys
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from fastapi import APIRouter
from pydantic import BaseModel

from till_events import catalogue
from till_events.base import Event
from till_events.loyalty import PointsAccrued
from till_events.order import Line, OrderPlaced
from till_platform.batch import Batch, Fact
from till_platform.domain import Aggregate
from till_platform.http import ClockDep, LogDep, Once
from till_platform.main import command
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Table
from till_platform.reactions.reaction import Reaction, Unit, Wanted
from till_platform.service import Service

assert catalogue
ORDERS = Table("orders", {"order_id": "text", "customer_id": "text", "total_minor": "bigint"}, key=("order_id",))
BALANCES = Table("balances", {"customer_id": "text", "points": "bigint", "orders": "bigint"}, key=("customer_id",))
MESSAGE = "message"
KEPT = timedelta(days=365)
router = APIRouter(prefix="/v1")


class Order(Aggregate):
    """An order that is only ever placed."""

    kind: ClassVar[str] = "order"

    def apply(self, event: Event) -> None:
        pass


class Account(Aggregate):
    """The points of a customer."""

    kind: ClassVar[str] = "account"

    def apply(self, event: Event) -> None:
        pass


class OrderBody(BaseModel):
    order_id: str
    customer_id: str
    total_minor: int


class OrderReply(BaseModel):
    order_id: str
    version: int

    @classmethod
    def of(cls, order: Order) -> "OrderReply":
        return cls(order_id=order.identity, version=order.version)


@router.post("/orders", status_code=201)
async def place(body: OrderBody, log: LogDep, clock: ClockDep, once: Once) -> OrderReply:
    async def placing() -> Order:
        order = await log.find(Order, body.order_id)
        order.record(
            OrderPlaced(
                occurred_at=clock.now(),
                order_id=body.order_id,
                number=body.order_id[-8:],
                store_id="404",
                channel="web",
                currency="USD",
                total_minor=body.total_minor,
                lines=(Line(line_id=1, product_id="p-1", quantity=Decimal(1), paid_minor=body.total_minor),),
                status="new",
                phase="new",
                workflow_id="default",
                workflow_version=1,
                customer_id=body.customer_id,
            )
        )
        await log.save(order)
        return order

    return await once(placing, OrderReply.of)


class Orders(Projection):
    """The orders, as lists show them."""

    name: ClassVar[str] = "orders"
    of: ClassVar = (OrderPlaced,)
    tables: ClassVar = (ORDERS,)

    def fold(self, batch: Batch, db: Db) -> None:
        placed = (fact.event for fact in batch.of(OrderPlaced))
        db.append(ORDERS, ((order.order_id, order.customer_id, order.total_minor) for order in placed))


class WhenOrderIsPlaced(Reaction):
    """One point for each whole unit of money."""

    name = "when_order_is_placed"
    of = (OrderPlaced,)

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        yield Account, fact.event.customer_id

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        placed: OrderPlaced = fact.event
        customer = str(placed.customer_id)
        unit.get(Account, customer).record(
            PointsAccrued(
                occurred_at=placed.occurred_at,
                account_id=customer,
                customer_id=customer,
                lot_id=placed.order_id,
                points=placed.total_minor // 100,
                basis_minor=placed.total_minor,
                currency=placed.currency,
                spend_minor=placed.total_minor,
                purchase_id=placed.order_id,
                store_id=placed.store_id,
                programme_id="main",
                rules_version=1,
                tier="base",
                available_from=placed.occurred_at,
                expires_at=placed.occurred_at + KEPT,
            )
        )


class Balances(Projection):
    """What each customer has, and for how many orders."""

    name: ClassVar[str] = "balances"
    of: ClassVar = (PointsAccrued,)
    tables: ClassVar = (BALANCES,)

    def fold(self, batch: Batch, db: Db) -> None:
        rows = ((fact.event.customer_id, fact.event.points, 1) for fact in batch.of(PointsAccrued))
        db.add(BALANCES, rows, sums=("points", "orders"))


class WhenPointsAreAccrued(Reaction):
    """The row from which a sender would tell the customer; nobody sends here."""

    name = "when_points_are_accrued"
    of = (PointsAccrued,)

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        accrued: PointsAccrued = fact.event
        unit.effect(MESSAGE, accrued.purchase_id, {"customer_id": accrued.customer_id, "points": accrued.points})


def service(name: str) -> Service:
    if name == "order":
        return Service(name=name, projections=(Orders(),), aggregates=(Order,), routers=(router,))
    if name == "loyalty":
        reactions = (WhenOrderIsPlaced(),)
        return Service(name=name, projections=(Balances(),), aggregates=(Account,), reactions=reactions, routers=())
    return Service(name="notification", projections=(), reactions=(WhenPointsAreAccrued(),), routers=())


def main() -> None:
    command(service(sys.argv.pop(1)))()


if __name__ == "__main__":
    import shop

    shop.main()  # what is written into the database names the classes of a module, not of `__main__`
