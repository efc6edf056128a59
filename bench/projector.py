"""Ours in B4, B6 and B8 to B11: the real worker of a service of two read models and nothing else. `python projector.py <name> worker`."""

import sys
from typing import ClassVar

from payments import BALANCES, ORDERS

from till_events.order import OrderPaymentRecorded
from till_platform.batch import Batch
from till_platform.main import command
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.service import Service


class Balances(Projection):
    """The points of each customer: one for each whole unit of money paid."""

    name: ClassVar[str] = "balances"
    of: ClassVar = (OrderPaymentRecorded,)
    tables: ClassVar = (BALANCES,)

    def fold(self, batch: Batch, db: Db) -> None:
        totals: dict[str, tuple[int, int]] = {}
        for fact in batch.of(OrderPaymentRecorded):
            customer = str(fact.event.customer_id)
            points, payments = totals.get(customer, (0, 0))
            totals[customer] = (points + fact.event.amount_minor // 100, payments + 1)
        rows = ((customer, *total) for customer, total in totals.items())
        db.add(BALANCES, rows, sums=("points", "payments"))


class LastPayments(Projection):
    """The last payment of each order."""

    name: ClassVar[str] = "last_payments"
    of: ClassVar = (OrderPaymentRecorded,)
    tables: ClassVar = (ORDERS,)

    def fold(self, batch: Batch, db: Db) -> None:
        last = {fact.event.order_id: fact.event for fact in batch.of(OrderPaymentRecorded)}
        db.upsert(
            ORDERS,
            (
                (order, event.customer_id, event.payment_id, event.method, event.amount_minor, event.paid_minor)
                for order, event in last.items()
            ),
        )


def main() -> None:
    name = sys.argv.pop(1)
    command(Service(name=name, projections=(Balances(), LastPayments()), routers=()))()


if __name__ == "__main__":
    import projector

    projector.main()  # what is written into the database names the classes of a module, not of `__main__`
