"""A small chain of shops: payments at the till give points, points give a message. All of it shows in which order it happened."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from faultlab.simulation.provider import NoAnswer, Provider
from till_events.ids import AccountId, CustomerId, OrderId, StoreId
from till_events.loyalty import PointsAdjusted
from till_events.notification import MessageSent
from till_events.order import OrderPaymentRecorded
from till_platform.batch import Batch, Fact
from till_platform.domain import Aggregate, Conflict
from till_platform.effects.sender import Effect, Sender, TryAgain
from till_platform.eventstore.log import Log
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Table
from till_platform.reactions.reaction import Reaction, Unit, Wanted

REFUSED = 666
"""An amount that loyalty refuses until its code is mended."""
MODULUS = 1_000_003


class Order(Aggregate):
    """What a customer pays at a till, payment by payment."""

    kind = "order"

    def __init__(self, id: str) -> None:  # noqa: A002 - as all aggregates
        super().__init__(id)
        self.paid = 0
        self.payments: set[str] = set()

    def pay(self, payment_id: str, customer_id: str, amount: int, at: Any) -> None:
        """Take a payment, each once."""
        if payment_id in self.payments:
            raise Conflict("this payment was taken before")
        self.record(
            OrderPaymentRecorded(
                occurred_at=at,
                order_id=OrderId(self.identity),
                store_id=StoreId("S1"),
                payment_id=payment_id,
                method="card",
                amount_minor=amount,
                paid_minor=self.paid + amount,
                currency="USD",
                customer_id=CustomerId(customer_id),
            )
        )

    def apply(self, event: Any) -> None:
        self.paid = event.paid_minor
        self.payments.add(event.payment_id)


class Receipt(BaseModel):
    """What the till is answered."""

    order_id: str
    paid_minor: int
    payments: int


def receipt(order: Order) -> Receipt:
    """Return the answer to a payment."""
    return Receipt(order_id=order.identity, paid_minor=order.paid, payments=len(order.payments))


class Purse(Aggregate):
    """A customer's points."""

    kind = "purse"

    def __init__(self, id: str) -> None:  # noqa: A002 - as all aggregates
        super().__init__(id)
        self.points = 0

    def apply(self, event: Any) -> None:
        self.points += event.points


class Code:
    """Whether the code of loyalty has been mended since: then it takes what it refused."""

    def __init__(self) -> None:
        self.mended = False


class PointsWhenPaid(Reaction):
    """Points for every payment: as many as the amount, and one for every payment before."""

    name = "points_when_paid"
    of = (OrderPaymentRecorded,)

    def __init__(self, code: Code) -> None:
        self._code = code

    def wants(self, fact: Fact[Any]) -> Iterable[Wanted]:
        return [(Purse, fact.event.customer_id)]

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        if fact.event.amount_minor == REFUSED and not self._code.mended:
            raise Conflict("this amount is refused")
        purse = unit.get(Purse, fact.event.customer_id)
        purse.record(
            PointsAdjusted(
                occurred_at=fact.event.occurred_at,
                account_id=AccountId(purse.identity),
                customer_id=CustomerId(purse.identity),
                adjustment_id=fact.id,
                points=points_for(fact.event.amount_minor, purse.version),
                allocations=(),
                reason="simulated",
            )
        )


def points_for(amount: int, before: int) -> int:
    """Return the points of a payment that is the customer's next one after so many: the order of payments shows in the sum."""
    return amount + before


class Thanks(Reaction):
    """A message for all points given."""

    name = "thanks"
    of = (PointsAdjusted,)

    def react(self, fact: Fact[Any], unit: Unit) -> None:
        unit.effect("thanks", fact.id, {"customer": fact.event.customer_id})


class Message(Aggregate):
    """A message to a customer, sent once."""

    kind = "message"

    def apply(self, event: Any) -> None:
        """It is sent or it is not; nothing else matters here."""


class ThanksSender(Sender):
    """Sends messages: asks the provider, then records what it said."""

    kind = "thanks"
    at_once = 3

    def __init__(self, log: Log, provider: Provider, clock: Any) -> None:
        self._log = log
        self._provider = provider
        self._clock = clock

    async def deliver(self, effect: Effect) -> None:
        message = await self._log.find(Message, effect.key)
        if not message.exists:
            try:
                await self._provider.take(effect.key, effect.id)
            except NoAnswer as silence:
                raise TryAgain("no answer") from silence
            message.record(
                MessageSent(
                    occurred_at=self._clock(),
                    message_id=effect.key,
                    customer_id=effect.payload["customer"],
                    channel="sms",
                    purpose="loyalty",
                    template_id="thanks",
                    template_version=1,
                    locale="en",
                    address="+10000000000",
                    text="Thank you",
                )
            )
        await self._log.save(message, done=effect.id)


PAID = Table(
    "paid",
    {"customer_id": "text", "payments": "bigint", "amount_minor": "bigint", "trail": "bigint"},
    ("customer_id",),
)
SALES = Table("sales", {"store_id": "text", "payments": "bigint", "amount_minor": "bigint"}, ("store_id",))
HEARD = Table("heard", {"event_id": "text", "customer_id": "text", "place": "bigint"}, ("event_id",))
POINTS = Table(
    "points", {"customer_id": "text", "points": "bigint", "grants": "bigint", "trail": "bigint"}, ("customer_id",)
)


def step(trail: int, value: int) -> int:
    """Return a number that depends on all values so far and on their order."""
    return (trail * 31 + value) % MODULUS


class Payments(Projection):
    """By customer what was paid, as totals and as a trail that shows the order; by store the sums."""

    name = "payments"
    of = (OrderPaymentRecorded,)
    tables = (PAID, SALES)

    def fold(self, batch: Batch, db: Db) -> None:
        facts = list(batch.of(OrderPaymentRecorded))
        rows = db.get(PAID, {(str(fact.event.customer_id),) for fact in facts})
        for fact in facts:
            key = (str(fact.event.customer_id),)
            _, payments, amount, trail = rows.get(key, (key[0], 0, 0, 0))
            rows[key] = (key[0], payments + 1, amount + fact.event.amount_minor, step(trail, fact.event.amount_minor))
        db.upsert(PAID, rows.values())
        sums = ("payments", "amount_minor")
        db.add(SALES, [(fact.event.store_id, 1, fact.event.amount_minor) for fact in facts], sums=sums)


class PointsView(Projection):
    """By customer the points, as a sum and as a trail."""

    name = "points_view"
    of = (PointsAdjusted,)
    tables = (POINTS,)

    def fold(self, batch: Batch, db: Db) -> None:
        facts = list(batch.of(PointsAdjusted))
        rows = db.get(POINTS, {(fact.event.customer_id,) for fact in facts})
        for fact in facts:
            key = (fact.event.customer_id,)
            _, points, grants, trail = rows.get(key, (key[0], 0, 0, 0))
            rows[key] = (key[0], points + fact.event.points, grants + 1, step(trail, fact.event.points))
        db.upsert(POINTS, rows.values())


class Heard(Projection):
    """Every payment and every grant of points, once."""

    name = "heard"
    of = (OrderPaymentRecorded, PointsAdjusted)
    tables = (HEARD,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.insert(HEARD, [(fact.id, str(fact.event.customer_id), fact.position) for fact in batch])
