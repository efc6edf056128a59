from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from till_events.order import (
    Delivery,
    Line,
    OrderLinesChanged,
    OrderPaymentRecorded,
    OrderPlaced,
    OrderRefunded,
    OrderStatusChanged,
    WorkflowStatus,
)
from till_order.domain.move import IllegalMove, Move
from till_order.domain.order import Order, TooLate
from till_order.domain.payment import NotFullyPaid, Overpaid, Payment, PaymentConflict, RefundExceedsPayment
from till_order.domain.placement import OrderConflict, Placement
from till_order.domain.workflow import Workflow, default_statuses, default_transitions
from till_platform.domain import Invalid
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def line(line_id: int = 1, quantity: str = "2", paid: int = 1_000) -> Line:
    return Line(line_id=line_id, product_id="p-1", quantity=Decimal(quantity), paid_minor=paid)


def default_workflow() -> Workflow:
    chain = Workflow(Workflow.stream("default"))
    chain.publish(default_statuses(), default_transitions(), "new", NOW)
    return chain


def placement(**changes: Any) -> Placement:
    asked: dict[str, Any] = {
        "store_id": "s-1",
        "number": "s-1-1",
        "channel": "web",
        "currency": "USD",
        "lines": (line(1), line(2, paid=500)),
        "customer_id": "c-1",
        "external_id": "web-77",
    }
    return Placement(**(asked | changes))


def order(*to_statuses: str, paid: int = 0, delivery: Delivery | None = None) -> Order:
    placed = Order(Order.stream("o-1"))
    placed.place(placement(delivery=delivery), default_workflow(), NOW)
    if paid:
        placed.pay(Payment(payment_id="pay-1", method="card", amount_minor=paid), NOW)
    for status in to_statuses:
        placed.move(Move(to_status=status), default_workflow(), NOW)
    placed.collect_events()
    return placed


def pay(amount: int, payment_id: str = "pay-2", method: str = "cash") -> Payment:
    return Payment(payment_id=payment_id, method=method, amount_minor=amount)


def move(to_status: str, **rest: Any):
    return lambda o: o.move(Move(to_status=to_status, **rest), default_workflow(), LATER)


ASSEMBLY = ("approval", "assembly")
DELIVERY = (*ASSEMBLY, "delivery")
COMPLETED = (*DELIVERY, "completed")


def test_placing_an_order_sums_its_lines_and_its_delivery() -> None:
    courier = Delivery(method="courier", cost_minor=300)
    given(Order("order-o-1")).when(lambda o: o.place(placement(delivery=courier), default_workflow(), NOW)).then(
        happened(OrderPlaced, order_id="o-1", total_minor=1_800, status="new", phase="new", workflow_version=1)
    )


def test_the_same_order_placed_again_changes_nothing() -> None:
    given(order("approval")).when(
        lambda o: o.place(placement(number="s-1-2"), default_workflow(), LATER)
    ).then_nothing()


def test_another_order_under_the_same_external_id_is_a_visible_conflict() -> None:
    given(order()).when(lambda o: o.place(placement(lines=(line(),)), default_workflow(), LATER)).then_refused(
        OrderConflict, order_id="o-1", differs=["lines"]
    )


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ((), "lines"),
        ((line(1), line(1)), "lines[1].line_id"),
        ((line(quantity="0"),), "lines[0].quantity"),
        ((line(quantity="-1"),), "lines[0].quantity"),
        ((line(quantity="NaN"),), "lines[0].quantity"),
        ((line(quantity="Infinity"),), "lines[0].quantity"),
        ((line(quantity="0.0000001"),), "lines[0].quantity"),
        ((line(paid=-1),), "lines[0].paid_minor"),
        ((line(paid=10**18),), "lines[0].paid_minor"),
        ((line(1, paid=10**13), line(2, paid=10**13)), "lines"),
    ],
)
def test_what_cannot_be_ordered_is_refused_by_name(lines: tuple[Line, ...], field: str) -> None:
    given(Order("order-o-1")).when(lambda o: o.place(placement(lines=lines), default_workflow(), NOW)).then_refused(
        Invalid, field=field
    )


def test_a_delivery_cannot_be_promised_to_end_before_it_begins() -> None:
    late = Delivery(method="courier", promised_from=LATER, promised_to=NOW)
    given(Order("order-o-1")).when(lambda o: o.place(placement(delivery=late), default_workflow(), NOW)).then_refused(
        Invalid, field="promised_to"
    )


def test_an_order_moves_along_the_workflow() -> None:
    given(order()).when(move("approval", reason="checked", operator_id="7")).then(
        happened(
            OrderStatusChanged,
            from_status="new",
            to_status="approval",
            from_phase="new",
            to_phase="approval",
            reason="checked",
            operator_id="7",
            customer_id="c-1",
        )
    )


def test_an_illegal_move_is_refused_with_the_legal_ones_named() -> None:
    given(order()).when(move("delivery")).then_refused(IllegalMove, from_status="new", legal=["approval", "cancelled"])


def test_a_status_that_nobody_published_is_an_illegal_move() -> None:
    given(order()).when(move("lost")).then_refused(IllegalMove, legal=["approval", "cancelled"])


def test_a_completed_order_cannot_be_cancelled_but_returned() -> None:
    given(order(*COMPLETED, paid=1_500)).when(move("cancelled")).then_refused(IllegalMove, legal=["returned"])


def test_a_cancelled_order_goes_nowhere() -> None:
    given(order("cancelled")).when(move("new")).then_refused(IllegalMove, legal=[])


def test_an_order_in_an_abolished_status_goes_on_by_the_version_that_knew_it() -> None:
    chain = default_workflow()
    without_approval = tuple(status for status in default_statuses() if status.status != "approval")
    ways = tuple(way for way in default_transitions() if "approval" not in (way.from_status, way.to_status))
    direct = (*ways, type(ways[0])("new", "assembly"))
    chain.publish(without_approval, direct, "new", NOW)
    given(order("approval")).when(lambda o: o.move(Move(to_status="assembly"), chain, LATER)).then(
        happened(OrderStatusChanged, to_status="assembly", workflow_version=1)
    )
    given(order()).when(lambda o: o.move(Move(to_status="assembly"), chain, LATER)).then(
        happened(OrderStatusChanged, to_status="assembly", workflow_version=2)
    )


def test_a_status_that_was_moved_to_another_phase_still_cannot_undo_a_completion() -> None:
    chain = default_workflow()
    renamed = tuple(
        WorkflowStatus(status=s.status, phase="delivery", name=s.name) if s.status == "completed" else s
        for s in default_statuses()
    )
    more = (WorkflowStatus(status="done", phase="completed", name="Done"), *renamed)
    ways = tuple(way for way in default_transitions() if way.from_status != "completed")
    to = type(ways[0])
    chain.publish(more, (*ways, to("completed", "cancelled"), to("completed", "done")), "new", NOW)
    given(order(*COMPLETED, paid=1_500)).when(lambda o: o.move(Move(to_status="cancelled"), chain, LATER)).then_refused(
        IllegalMove, legal=["done"]
    )


def test_the_latest_promise_travels_with_every_later_status() -> None:
    promised = {"promised_from": LATER, "promised_to": LATER + timedelta(hours=2)}
    given(order("approval")).when(lambda o: (move("assembly", **promised)(o), move("delivery")(o))).then(
        happened(OrderStatusChanged, to_status="assembly", **promised),
        happened(OrderStatusChanged, to_status="delivery", **promised),
    )


def test_the_promise_made_when_placing_travels_until_another_one_is_made() -> None:
    courier = Delivery(method="courier", promised_from=NOW, promised_to=LATER)
    given(order(delivery=courier)).when(move("approval")).then(
        happened(OrderStatusChanged, promised_from=NOW, promised_to=LATER)
    )


def test_a_payment_adds_to_what_is_paid() -> None:
    given(order(paid=500)).when(lambda o: o.pay(pay(1_000), LATER)).then(
        happened(OrderPaymentRecorded, payment_id="pay-2", method="cash", amount_minor=1_000, paid_minor=1_500)
    )


def test_the_same_payment_again_changes_nothing() -> None:
    given(order(paid=500)).when(lambda o: o.pay(pay(500, "pay-1", "card"), LATER)).then_nothing()


def test_a_payment_told_differently_is_a_conflict() -> None:
    given(order(paid=500)).when(lambda o: o.pay(pay(501, "pay-1", "card"), LATER)).then_refused(
        PaymentConflict, payment_id="pay-1"
    )


def test_nobody_pays_more_than_is_due() -> None:
    given(order(paid=500)).when(lambda o: o.pay(pay(1_001), LATER)).then_refused(Overpaid, due_minor=1_000)


def test_a_paid_order_cannot_be_paid_again() -> None:
    given(order(paid=1_500)).when(lambda o: o.pay(pay(1), LATER)).then_refused(Overpaid, due_minor=0)


def test_a_cancelled_order_takes_no_payment() -> None:
    given(order("cancelled")).when(lambda o: o.pay(pay(1), LATER)).then_refused(TooLate, phase="cancelled")


def test_a_payment_is_more_than_nothing() -> None:
    given(order()).when(lambda o: o.pay(pay(0), LATER)).then_refused(Invalid, field="amount_minor")


def test_an_order_is_completed_only_when_it_is_paid() -> None:
    given(order(*DELIVERY, paid=1_400)).when(move("completed")).then_refused(NotFullyPaid, due_minor=100)


def test_the_courier_may_take_the_rest_at_the_door() -> None:
    given(order(*DELIVERY, paid=1_400)).when(move("completed", payment=pay(100))).then(
        happened(OrderPaymentRecorded, amount_minor=100, paid_minor=1_500),
        happened(OrderStatusChanged, to_phase="completed"),
    )


def test_a_courier_who_takes_too_little_does_not_complete_the_order() -> None:
    given(order(*DELIVERY, paid=1_400)).when(move("completed", payment=pay(99))).then_refused(NotFullyPaid, due_minor=1)


def test_cancelling_gives_back_what_was_paid_by_the_means_it_was_paid_by() -> None:
    both = order(paid=500)
    both.pay(pay(700), NOW)
    both.collect_events()
    given(both).when(move("cancelled", reason="changed her mind")).then(
        happened(OrderStatusChanged, to_phase="cancelled"),
        happened(OrderRefunded, method="card", amount_minor=500, paid_minor=700),
        happened(OrderRefunded, method="cash", amount_minor=700, paid_minor=0),
    )


def test_cancelling_an_unpaid_order_gives_nothing_back() -> None:
    given(order()).when(move("cancelled")).then(happened(OrderStatusChanged, to_phase="cancelled"))


def test_lines_can_be_changed_until_the_order_is_assembled() -> None:
    given(order("approval")).when(lambda o: o.change_lines([line()], LATER, operator_id="7")).then(
        happened(OrderLinesChanged, total_before_minor=1_500, total_after_minor=1_000, operator_id="7")
    )
    given(order(*ASSEMBLY)).when(lambda o: o.change_lines([line()], LATER)).then_refused(TooLate, phase="assembly")


def test_the_same_lines_again_change_nothing() -> None:
    given(order()).when(lambda o: o.change_lines(o.lines, LATER)).then_nothing()


def test_an_order_never_falls_below_what_was_paid_without_a_refund() -> None:
    given(order(paid=1_200)).when(lambda o: o.change_lines([line()], LATER)).then_refused(
        Overpaid, total_minor=1_000, paid_minor=1_200
    )


def test_the_difference_may_go_back_in_the_same_breath() -> None:
    given(order(paid=1_200)).when(lambda o: o.change_lines([line()], LATER, refund=pay(200, "back-1", "card"))).then(
        happened(OrderLinesChanged, total_after_minor=1_000),
        happened(OrderRefunded, refund_id="back-1", amount_minor=200, paid_minor=1_000),
    )


def test_the_refund_of_a_change_is_exactly_the_difference() -> None:
    given(order(paid=1_200)).when(lambda o: o.change_lines([line()], LATER, refund=pay(199))).then_refused(Invalid)
    given(order(paid=900)).when(lambda o: o.change_lines([line()], LATER, refund=pay(1))).then_refused(Invalid)


def test_a_refund_id_that_was_used_cannot_cover_another_change() -> None:
    refunded = order(paid=1_200)
    refunded.refund(pay(100, "back-1"), NOW)
    refunded.collect_events()
    given(refunded).when(lambda o: o.change_lines([line()], LATER, refund=pay(100, "back-1"))).then_refused(
        PaymentConflict
    )


def test_money_may_go_back_while_the_order_is_open() -> None:
    given(order(paid=1_000)).when(lambda o: o.refund(pay(400, "back-1"), LATER)).then(
        happened(OrderRefunded, refund_id="back-1", amount_minor=400, paid_minor=600)
    )


def test_the_same_refund_again_changes_nothing() -> None:
    refunded = order(paid=1_000)
    refunded.refund(pay(400, "back-1"), NOW)
    refunded.collect_events()
    given(refunded).when(lambda o: o.refund(pay(400, "back-1"), LATER)).then_nothing()


def test_no_more_goes_back_than_was_paid() -> None:
    given(order(paid=1_000)).when(lambda o: o.refund(pay(1_001), LATER)).then_refused(
        RefundExceedsPayment, paid_minor=1_000
    )


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_more_than_nothing(amount: int) -> None:
    given(order(paid=1_000)).when(lambda o: o.refund(pay(amount), LATER)).then_refused(Invalid, field="amount_minor")


def test_money_for_a_completed_order_goes_back_by_a_return() -> None:
    given(order(*COMPLETED, paid=1_500)).when(lambda o: o.refund(pay(1), LATER)).then_refused(
        TooLate, phase="completed"
    )


def test_where_the_goods_are_and_what_is_paid_are_separate_questions() -> None:
    assert order().payment == "unpaid"
    assert order(*DELIVERY, paid=500).payment == "partially_paid"
    assert order(paid=1_500).payment == "paid"
    assert order("cancelled", paid=1_500).payment == "refunded"


def test_the_history_tells_who_moved_the_order_when_and_why() -> None:
    moved = order()
    moved.move(Move(to_status="cancelled", reason="twice", operator_id="7"), default_workflow(), LATER)
    assert [(step.at, step.to_status, step.reason, step.operator_id) for step in moved.history] == [
        (NOW, "new", None, None),
        (LATER, "cancelled", "twice", "7"),
    ]


def test_the_key_of_an_order_is_its_customer() -> None:
    placed = Order("order-o-1")
    placed.place(placement(), default_workflow(), NOW)
    assert placed.key == "c-1"
    anonymous = Order("order-o-2")
    anonymous.place(placement(customer_id=None), default_workflow(), NOW)
    assert anonymous.key == "order-o-2"
