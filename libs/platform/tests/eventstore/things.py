"""A parcel: the smallest aggregate that has a rule."""

from datetime import UTC, datetime

from till_events.ids import new_id
from till_events.order import OrderPaymentRecorded
from till_platform.domain import Aggregate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Parcel(Aggregate):
    kind = "parcel"

    def __init__(self, id):
        super().__init__(id)
        self.paid = 0

    def pay(self, amount, customer="ann"):
        self.record(
            OrderPaymentRecorded(
                occurred_at=NOON,
                order_id=self.identity,
                store_id="S1",
                payment_id=new_id(),
                method="card",
                amount_minor=amount,
                paid_minor=self.paid + amount,
                currency="USD",
                customer_id=customer,
            )
        )

    def apply(self, event):
        self.paid = event.paid_minor


def paid_parcel(amount=100, **who):
    parcel = Parcel(Parcel.stream(new_id()))
    parcel.pay(amount, **who)
    return parcel
