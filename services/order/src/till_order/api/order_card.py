"""How an order is shown."""

from datetime import datetime

from till_events.order import Delivery, OrderPaymentRecorded, OrderRefunded
from till_order.api.replies import LineReply, Reply
from till_order.domain.fulfilment import purchase_id_of
from till_order.domain.order import Order
from till_order.domain.payment import State
from till_order.domain.store import Store


class DeliveryReply(Reply):
    """How the goods reach the customer. The address is shown to who deals with customers."""

    method: str
    address: str | None
    promised_from: datetime | None
    promised_to: datetime | None
    cost_minor: int

    @classmethod
    def of(cls, delivery: Delivery, order: Order, *, personal: bool) -> "DeliveryReply":
        promised_from, promised_to = order.promised
        return cls(
            method=delivery.method,
            address=delivery.address if personal else None,
            promised_from=promised_from,
            promised_to=promised_to,
            cost_minor=delivery.cost_minor,
        )


class PaymentReply(Reply):
    """Money that arrived (above zero) or went back (below)."""

    id: str
    method: str
    amount_minor: int
    at: datetime

    @classmethod
    def of(cls, event: OrderPaymentRecorded | OrderRefunded) -> "PaymentReply":
        if isinstance(event, OrderRefunded):
            return cls(id=event.refund_id, method=event.method, amount_minor=-event.amount_minor, at=event.occurred_at)
        return cls(id=event.payment_id, method=event.method, amount_minor=event.amount_minor, at=event.occurred_at)


class StepReply(Reply):
    at: datetime
    from_status: str | None
    to_status: str
    to_phase: str
    reason: str | None
    operator_id: str | None


class OrderCard(Reply):
    """An order: where its goods are, what is paid, and how it came to that. The customer is named by id only."""

    order_id: str
    version: int
    number: str
    store_id: str
    channel: str
    customer_id: str | None
    external_id: str | None
    placed_at: datetime
    status: str
    phase: str
    payment: State
    currency: str
    total_minor: int
    paid_minor: int
    refunded_minor: int
    due_minor: int
    lines: list[LineReply]
    delivery: DeliveryReply | None
    promised_from: datetime | None
    promised_to: datetime | None
    comment: str | None
    workflow_id: str
    workflow_version: int
    purchase_id: str | None
    payments: list[PaymentReply]
    history: list[StepReply]

    @classmethod
    def of(cls, order: Order, *, store: Store, personal: bool) -> "OrderCard":
        """Return the card; what is `personal` is shown to who deals with customers."""
        placed, money = order.placed, order.money
        promised_from, promised_to = order.promised
        return cls(
            order_id=placed.order_id,
            version=order.version,
            number=placed.number,
            store_id=placed.store_id,
            channel=placed.channel,
            customer_id=placed.customer_id,
            external_id=placed.external_id,
            placed_at=placed.occurred_at,
            status=order.status,
            phase=order.phase,
            payment=order.payment,
            currency=placed.currency,
            total_minor=order.total_minor,
            paid_minor=money.paid_minor,
            refunded_minor=money.refunded_minor,
            due_minor=order.due_minor,
            lines=[LineReply.model_validate(line) for line in order.lines],
            delivery=DeliveryReply.of(placed.delivery, order, personal=personal) if placed.delivery else None,
            promised_from=promised_from,
            promised_to=promised_to,
            comment=placed.comment if personal else None,
            workflow_id=placed.workflow_id,
            workflow_version=placed.workflow_version,
            purchase_id=purchase_id_of(order, store),
            payments=[PaymentReply.of(event) for event in money.in_order()],
            history=[StepReply.model_validate(step) for step in order.history],
        )


class OrderRow(Reply):
    """An order in a list."""

    order_id: str
    number: str
    store_id: str
    channel: str
    customer_id: str | None
    external_id: str | None
    placed_at: datetime
    changed_at: datetime
    status: str
    phase: str
    payment: State
    currency: str
    total_minor: int
    paid_minor: int
    promised_from: datetime | None
    promised_to: datetime | None


class HappeningReply(Reply):
    """Something that happened to an order, when it was recorded, and under whose name: a role and an id."""

    sequence: int
    happened: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str | None
    status: str | None
    reason: str | None
    amount_minor: int | None
