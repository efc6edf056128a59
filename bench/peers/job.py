"""What every contender of B4 is told, and the two statements that most of them write with."""

import os
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True)
class Job:
    """From where to where."""

    kafka: str
    topic: str
    group: str
    pg: str
    mode: str
    folder: str
    partitions: int

    @property
    def postgres(self) -> dict[str, str]:
        """The parts of the database's address."""
        from psycopg.conninfo import conninfo_to_dict

        return {name: str(value) for name, value in conninfo_to_dict(self.pg).items()}


def job() -> Job:
    """Return what this process was told."""
    told = os.environ
    return Job(
        told["KAFKA"],
        told["TOPIC"],
        told["GROUP"],
        told["PG"],
        told["MODE"],
        told["FOLDER"],
        int(told["PARTITIONS"]),
    )


class Payment(msgspec.Struct):
    """The fields of an `OrderPaymentRecorded` that the two tables need."""

    order_id: str
    payment_id: str
    method: str
    amount_minor: int
    paid_minor: int
    customer_id: str


read = msgspec.json.Decoder(Payment).decode

INCREMENT = """
INSERT INTO balances (customer_id, points, payments) SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (customer_id) DO UPDATE
    SET points = balances.points + excluded.points, payments = balances.payments + excluded.payments
"""
SET_BALANCES = """
INSERT INTO balances (customer_id, points, payments) SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (customer_id) DO UPDATE SET points = excluded.points, payments = excluded.payments
"""
SET_ORDERS = """
INSERT INTO orders (order_id, customer_id, payment_id, method, amount_minor, paid_minor)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (order_id) DO UPDATE SET customer_id = excluded.customer_id, payment_id = excluded.payment_id,
    method = excluded.method, amount_minor = excluded.amount_minor, paid_minor = excluded.paid_minor
"""
INCREMENT_ONE = """
INSERT INTO balances (customer_id, points, payments) VALUES (%s, %s, 1)
ON CONFLICT (customer_id) DO UPDATE
    SET points = balances.points + excluded.points, payments = balances.payments + 1
"""
SET_ORDER = """
INSERT INTO orders (order_id, customer_id, payment_id, method, amount_minor, paid_minor) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (order_id) DO UPDATE SET customer_id = excluded.customer_id, payment_id = excluded.payment_id,
    method = excluded.method, amount_minor = excluded.amount_minor, paid_minor = excluded.paid_minor
"""


def array(values: object) -> str:
    """Return ids or numbers, none of which needs quotes, as a literal of PostgreSQL: psycopg's own way costs more than all the rest."""
    return "{" + ",".join(map(str, values)) + "}"  # type: ignore[call-overload]


class Fold:
    """A batch folded: points and number of payments by customer, the last payment by order."""

    def __init__(self) -> None:
        self.points: dict[str, int] = {}
        self.payments: dict[str, int] = {}
        self.orders: dict[str, Payment] = {}

    def take(self, payment: Payment) -> None:
        customer = payment.customer_id
        self.points[customer] = self.points.get(customer, 0) + payment.amount_minor // 100
        self.payments[customer] = self.payments.get(customer, 0) + 1
        self.orders[payment.order_id] = payment

    def balances(self) -> list[str]:
        """The parameters of `INCREMENT`."""
        customers = sorted(self.points)
        return [
            array(customers),
            array(map(self.points.__getitem__, customers)),
            array(map(self.payments.__getitem__, customers)),
        ]

    def last_payments(self) -> list[str]:
        """The parameters of `SET_ORDERS`."""
        return last_payments(self.orders)


def last_payments(orders: dict[str, Payment]) -> list[str]:
    """Return the parameters of `SET_ORDERS`."""
    rows = [orders[order] for order in sorted(orders)]
    return [
        array(row.order_id for row in rows),
        array(row.customer_id for row in rows),
        array(row.payment_id for row in rows),
        array(row.method for row in rows),
        array(row.amount_minor for row in rows),
        array(row.paid_minor for row in rows),
    ]
