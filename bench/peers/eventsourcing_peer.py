"""eventsourcing 9.5.6 as it comes: a log of its own in PostgreSQL and a ProjectionRunner. `fill` records the payments, `project` projects,
`write` goes on recording orders of one payment at a rate.

Effectively once: its tracking record is written in the transaction of each event. Locking mode, its default, since its database functions
(`FUNCTIONS=y`) lose events.
"""

import os
import sys
import time
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from job import INCREMENT_ONE, SET_ORDER
from msgspec import json
from psycopg.conninfo import conninfo_to_dict


class Order(Aggregate):
    """An order that is paid in parts."""

    @event("Paid")
    def __init__(self, order_id: str, payment: dict[str, object]) -> None:  # noqa: ARG002 - makes the id
        self.last = payment

    @event("PaidMore")
    def pay(self, payment: dict[str, object]) -> None:
        self.last = payment

    @staticmethod
    def create_id(order_id: str) -> UUID:
        return UUID(order_id)


class Orders(Application[UUID]):
    """The orders."""


class View(PostgresTrackingRecorder):
    """Both tables; a row of each and the tracking record are one transaction."""

    def take(self, payment: dict[str, object], tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(INCREMENT_ONE, (payment["customer_id"], int(str(payment["amount_minor"])) // 100))
            names = ("order_id", "customer_id", "payment_id", "method", "amount_minor", "paid_minor")
            cursor.execute(SET_ORDER, [payment[name] for name in names])


class Payments(Projection[View]):
    """Both tables."""

    topics = (get_topic(Order.Paid), get_topic(Order.PaidMore))

    @singledispatchmethod
    def process_event(self, domain_event: object, tracking: Tracking) -> None:
        raise NotImplementedError(domain_event)

    @process_event.register
    def paid(self, domain_event: Order.Paid, tracking: Tracking) -> None:
        self.view.take(domain_event.payment, tracking)

    @process_event.register
    def paid_more(self, domain_event: Order.PaidMore, tracking: Tracking) -> None:
        self.view.take(domain_event.payment, tracking)


def environment(address: str, prefix: str = "") -> dict[str, str]:
    place = conninfo_to_dict(address)
    return {
        f"{prefix}PERSISTENCE_MODULE": "eventsourcing.postgres",
        f"{prefix}POSTGRES_DBNAME": str(place["dbname"]),
        f"{prefix}POSTGRES_HOST": str(place["host"]),
        f"{prefix}POSTGRES_PORT": str(place["port"]),
        f"{prefix}POSTGRES_USER": str(place["user"]),
        f"{prefix}POSTGRES_PASSWORD": str(place.get("password", "")),
        f"{prefix}POSTGRES_ENABLE_DB_FUNCTIONS": os.environ.get("FUNCTIONS", "n"),
    }


def fill() -> None:
    """Record the payments that come as lines of JSON."""
    orders: dict[str, Order] = {}
    for line in sys.stdin.buffer:
        payment = json.decode(line)
        name = payment["order_id"]
        if name in orders:
            orders[name].pay(payment)
        else:
            orders[name] = Order(name, payment)
    application = Orders(environment(os.environ["LOG"]))
    waiting = list(orders.values())
    while waiting:
        application.save(*waiting[:500])
        waiting = waiting[500:]
    application.close()


def write() -> None:
    """Record orders by number, each paid at once by one of 20,000 customers, at a rate until it is ended."""
    application = Orders(environment(os.environ["LOG"]))
    rate, number, began = float(os.environ["RATE"]), int(os.environ["FIRST"]), time.monotonic()
    recorded = 0
    while True:
        while recorded < (time.monotonic() - began) * rate:
            order, customer = str(UUID(int=number + recorded)), str(UUID(int=(number + recorded) % 20_000))
            payment = {"order_id": order, "customer_id": customer, "payment_id": order, "method": "card"}
            application.save(Order(order, {**payment, "amount_minor": 100, "paid_minor": 100}))
            recorded += 1
        time.sleep(0.005)


def project() -> None:
    env = {**environment(os.environ["LOG"]), **environment(os.environ["PG"], "PAYMENTS_")}
    runner = ProjectionRunner(application_class=Orders, projection_class=Payments, view_class=View, env=env)
    with runner:
        runner.run_forever()


if __name__ == "__main__":
    {"fill": fill, "write": write, "project": project}[os.environ["MODE"]]()
