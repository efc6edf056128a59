"""What was paid for an order, what went back, and what state that leaves it in: an axis of its own beside the order's phase."""

from typing import Literal

from msgspec import Struct

from till_events.money import allocate
from till_events.order import OrderPaymentRecorded, OrderRefunded, Tender
from till_platform.domain import DomainError

State = Literal["unpaid", "partially_paid", "paid", "partially_refunded", "refunded"]


class PaymentConflict(DomainError):
    """A payment or refund of this id is recorded, with another amount or method."""

    code = "payment-conflict"


class Overpaid(DomainError):
    """More is paid than is due, or more would stay paid than the order is worth. `due_minor` names what is due."""

    code = "overpaid"


class NotFullyPaid(DomainError):
    """Goods leave the shop for good only when they are paid for. `due_minor` names what is missing."""

    code = "not-fully-paid"


class RefundExceedsPayment(DomainError):
    """More would go back than was paid."""

    code = "refund-exceeds-payment"


class Payment(Struct, frozen=True, kw_only=True):
    """Money that arrived or goes back, under the id the payment system gave it. A repeat of that id is harmless."""

    payment_id: str
    method: str
    amount_minor: int


def payment_state(total_minor: int, paid_minor: int, refunded_minor: int, phase: str) -> State:
    """Return how an order stands with the customer's money."""
    if paid_minor == 0 and refunded_minor > 0:
        return "refunded"
    if paid_minor >= total_minor:
        return "paid"
    if paid_minor == 0:
        return "unpaid"
    return "partially_refunded" if phase in ("completed", "returned") else "partially_paid"


class Payments:
    """The money that came and went for one order, by the ids under which it did."""

    def __init__(self) -> None:
        self.payments: dict[str, OrderPaymentRecorded] = {}
        self.refunds: dict[str, OrderRefunded] = {}

    @property
    def paid_minor(self) -> int:
        """What remains paid."""
        return sum(payment.amount_minor for payment in self.payments.values()) - self.refunded_minor

    @property
    def refunded_minor(self) -> int:
        """What went back."""
        return sum(refund.amount_minor for refund in self.refunds.values())

    def in_order(self) -> list[OrderPaymentRecorded | OrderRefunded]:
        """Return all that came and went, by time."""
        moved: list[OrderPaymentRecorded | OrderRefunded] = [*self.payments.values(), *self.refunds.values()]
        return sorted(moved, key=lambda event: event.occurred_at)

    def is_repeat(self, payment: Payment) -> bool:
        """Tell whether this payment is recorded already; raise `PaymentConflict` if it is recorded otherwise."""
        return _is_repeat(self.payments.get(payment.payment_id), payment)

    def is_refund_repeat(self, refund: Payment) -> bool:
        """Tell whether this refund is recorded already; raise `PaymentConflict` if it is recorded otherwise."""
        return _is_repeat(self.refunds.get(refund.payment_id), refund)

    def tenders(self) -> tuple[Tender, ...]:
        """Return by which means what remains paid was paid. Money that went back by another means is spread over those that are left."""
        balance: dict[str, int] = {}
        for payment in self.payments.values():
            balance[payment.method] = balance.get(payment.method, 0) + payment.amount_minor
        for refund in self.refunds.values():
            balance[refund.method] = balance.get(refund.method, 0) - refund.amount_minor
        paid = {method: amount for method, amount in balance.items() if amount > 0}
        if not paid:
            return ()
        parts = allocate(self.paid_minor, list(paid.values()))
        return tuple(Tender(method, part) for method, part in zip(paid, parts, strict=True) if part)


def _is_repeat(known: OrderPaymentRecorded | OrderRefunded | None, told: Payment) -> bool:
    if known is None:
        return False
    if (known.method, known.amount_minor) != (told.method, told.amount_minor):
        raise PaymentConflict(
            f"{told.payment_id} is recorded as {known.amount_minor} by {known.method}", payment_id=told.payment_id
        )
    return True
