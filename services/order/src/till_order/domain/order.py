"""One customer's order in one store, from placement to completion, cancellation or return."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from till_events.ids import OrderId
from till_events.order import (
    Line,
    OrderLinesChanged,
    OrderPaymentRecorded,
    OrderPlaced,
    OrderRefunded,
    OrderStatusChanged,
    Tender,
)
from till_order.domain.lines import check_ordered
from till_order.domain.move import IllegalMove, Move, Step
from till_order.domain.payment import (
    NotFullyPaid,
    Overpaid,
    Payment,
    PaymentConflict,
    Payments,
    RefundExceedsPayment,
    State,
    payment_state,
)
from till_order.domain.placement import Placement, check_promise, total_of
from till_order.domain.workflow import OPEN_PHASES, Edition, Workflow
from till_platform.domain import Aggregate, DomainError, Invalid

_CHANGEABLE = ("new", "approval")


class TooLate(DomainError):
    """The order has gone too far for this."""

    code = "too-late"


class Order(Aggregate):
    """An order keeps three things apart: where its goods are (status and phase), what is paid, and what came back (on its receipt)."""

    kind = "order"
    placed: OrderPlaced

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.status = ""
        self.phase = ""
        self.lines: tuple[Line, ...] = ()
        self.total_minor = 0
        self.money = Payments()
        self.promised: tuple[datetime | None, datetime | None] = (None, None)
        self.completed_at: datetime | None = None
        self.history: list[Step] = []

    @property
    def payment(self) -> State:
        """How the order stands with the customer's money."""
        return payment_state(self.total_minor, self.money.paid_minor, self.money.refunded_minor, self.phase)

    @property
    def due_minor(self) -> int:
        """What is still to be paid: nothing once the order is completed, cancelled or returned."""
        return self.total_minor - self.money.paid_minor if self.phase in OPEN_PHASES else 0

    def place(self, placement: Placement, workflow: Workflow, now: datetime) -> None:
        """Place the order. The store's own id for it told again, with the same content, changes nothing; else raises `OrderConflict`."""
        if self.exists:
            placement.check_same(self.placed)
            return
        placement.check()
        edition = workflow.current
        self.record(
            OrderPlaced(
                order_id=OrderId(self.identity),
                number=placement.number,
                store_id=placement.store_id,
                channel=placement.channel,
                currency=placement.currency,
                total_minor=total_of(placement.lines, placement.delivery),
                lines=placement.lines,
                status=edition.initial,
                phase=edition.phase_of(edition.initial),
                workflow_id=workflow.identity,
                workflow_version=edition.version,
                delivery=placement.delivery,
                customer_id=placement.customer_id,
                external_id=placement.external_id,
                operator_id=placement.operator_id,
                comment=placement.comment,
                occurred_at=now,
            )
        )

    def change_lines(
        self, lines: Sequence[Line], now: datetime, *, operator_id: str | None = None, refund: Payment | None = None
    ) -> None:
        """Replace what is ordered, until it is being assembled.

        If less is ordered than was paid, the difference must go back in the same breath: `refund` says how. Raises `TooLate` or `Overpaid`.
        """
        if self.phase not in _CHANGEABLE:
            raise TooLate(f"lines can be changed only while new or in approval, not in {self.phase}", phase=self.phase)
        check_ordered(lines)
        total = total_of(lines, self.placed.delivery)
        too_much = self.money.paid_minor - total
        if too_much > 0 and refund is None:
            raise Overpaid(
                f"{self.money.paid_minor} is paid, the order would be worth {total}: say how {too_much} goes back",
                total_minor=total,
                paid_minor=self.money.paid_minor,
            )
        if refund is not None and refund.payment_id in self.money.refunds:
            raise PaymentConflict(f"refund {refund.payment_id} is recorded already", payment_id=refund.payment_id)
        if refund is not None and (too_much <= 0 or refund.amount_minor != too_much):
            raise Invalid(f"{max(too_much, 0)} must go back, not {refund.amount_minor}", field="refund.amount_minor")
        if tuple(lines) != self.lines:
            self.record(
                OrderLinesChanged(
                    **self._about(now),
                    lines=tuple(lines),
                    total_before_minor=self.total_minor,
                    total_after_minor=total,
                    currency=self.placed.currency,
                    operator_id=operator_id,
                )
            )
        if refund is not None:
            self.give_back(refund, now)

    def pay(self, payment: Payment, now: datetime) -> None:
        """Record money that arrived. The same payment again changes nothing. Raises `Overpaid`, `TooLate` or `PaymentConflict`."""
        if self.money.is_repeat(payment):
            return
        if self.phase not in OPEN_PHASES:
            raise TooLate(f"an order that is {self.phase} takes no payment", phase=self.phase)
        if payment.amount_minor <= 0:
            raise Invalid("a payment is more than nothing", field="amount_minor")
        if payment.amount_minor > self.due_minor:
            raise Overpaid(f"{payment.amount_minor} is more than the {self.due_minor} due", due_minor=self.due_minor)
        self.record(
            OrderPaymentRecorded(
                **self._about(now),
                payment_id=payment.payment_id,
                method=payment.method,
                amount_minor=payment.amount_minor,
                paid_minor=self.money.paid_minor + payment.amount_minor,
                currency=self.placed.currency,
            )
        )

    def refund(self, refund: Payment, now: datetime) -> None:
        """Give money back for an order that is still open. What was completed is given back by a return of its goods."""
        if self.money.is_refund_repeat(refund):
            return
        if self.phase not in OPEN_PHASES:
            raise TooLate(
                f"money for an order that is {self.phase} goes back by a return of its goods", phase=self.phase
            )
        self.give_back(refund, now)

    def give_back(self, refund: Payment, now: datetime) -> None:
        """Record money that went back, whatever the phase. Raises `RefundExceedsPayment`."""
        if self.money.is_refund_repeat(refund):
            return
        if refund.amount_minor <= 0:
            raise Invalid("a refund is more than nothing", field="amount_minor")
        left = self.money.paid_minor - refund.amount_minor
        if left < 0:
            raise RefundExceedsPayment(
                f"{refund.amount_minor} is more than the {self.money.paid_minor} paid", paid_minor=self.money.paid_minor
            )
        self.record(
            OrderRefunded(
                **self._about(now),
                refund_id=refund.payment_id,
                method=refund.method,
                amount_minor=refund.amount_minor,
                paid_minor=left,
                currency=self.placed.currency,
            )
        )

    def give_back_each(self, refunds: Sequence[Tender], refund_id: str, now: datetime) -> None:
        """Record money that went back by several means under one id, e.g. that of a return slip."""
        for refund in refunds:
            payment_id = refund_id if len(refunds) == 1 else f"{refund_id}-{refund.method}"
            self.give_back(Payment(payment_id=payment_id, method=refund.method, amount_minor=refund.amount_minor), now)

    def move(self, move: Move, workflow: Workflow, now: datetime) -> None:
        """Move the order along the chain's workflow.

        Completing takes the payment at the door, if there is one, and needs the order to be paid in full; cancelling gives back what was
        paid. Raises `IllegalMove`, naming the legal ones, or `NotFullyPaid`.
        """
        edition = workflow.edition_for(self.status)
        to_phase = self._check_legal(move.to_status, edition)
        check_promise(move.promised_from, move.promised_to)
        if to_phase == "completed" != self.phase:
            self._check_paid(move.payment)
        if move.payment is not None:
            self.pay(move.payment, now)
        promised = (move.promised_from, move.promised_to) if move.promised_from or move.promised_to else self.promised
        self.record(
            OrderStatusChanged(
                **self._about(now),
                number=self.placed.number,
                from_status=self.status,
                to_status=move.to_status,
                from_phase=self.phase,
                to_phase=to_phase,
                workflow_version=edition.version,
                reason=move.reason,
                operator_id=move.operator_id,
                promised_from=promised[0],
                promised_to=promised[1],
            )
        )
        if to_phase == "cancelled":
            self.give_back_each(self.money.tenders(), f"cancelled-{self.version}", now)

    def apply(self, event: object) -> None:
        match event:
            case OrderPlaced():
                self.placed = event
                self.lines, self.total_minor = event.lines, event.total_minor
                self.status, self.phase = event.status, event.phase
                if event.delivery:
                    self.promised = (event.delivery.promised_from, event.delivery.promised_to)
                self.history.append(
                    Step(
                        at=event.occurred_at,
                        to_status=event.status,
                        to_phase=event.phase,
                        operator_id=event.operator_id,
                    )
                )
            case OrderLinesChanged():
                self.lines, self.total_minor = event.lines, event.total_after_minor
            case OrderPaymentRecorded():
                self.money.payments[event.payment_id] = event
            case OrderRefunded():
                self.money.refunds[event.refund_id] = event
            case OrderStatusChanged():
                self._stand(event)

    def _stand(self, event: OrderStatusChanged) -> None:
        if event.to_phase == "completed" and self.phase != "completed":
            self.completed_at = event.occurred_at
        self.status, self.phase = event.to_status, event.to_phase
        self.promised = (event.promised_from, event.promised_to)
        self.history.append(
            Step(
                at=event.occurred_at,
                from_status=event.from_status,
                to_status=event.to_status,
                to_phase=event.to_phase,
                reason=event.reason,
                operator_id=event.operator_id,
            )
        )

    def _about(self, now: datetime) -> dict[str, Any]:
        return {
            "order_id": self.placed.order_id,
            "store_id": self.placed.store_id,
            "customer_id": self.placed.customer_id,
            "occurred_at": now,
        }

    def _check_paid(self, arriving: Payment | None) -> None:
        due = self.due_minor
        if arriving is not None and not self.money.is_repeat(arriving):
            due -= arriving.amount_minor
        if due > 0:
            raise NotFullyPaid(f"{due} is still to be paid", due_minor=due)

    def _check_legal(self, to_status: str, edition: Edition) -> str:
        legal = edition.legal_moves(self.status, self.phase)
        if to_status not in legal:
            hint = "; what was completed is not cancelled but returned" if self.phase == "completed" else ""
            raise IllegalMove(
                f"an order that is {self.status} cannot become {to_status}{hint}", from_status=self.status, legal=legal
            )
        return edition.phase_of(to_status)
