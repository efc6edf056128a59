"""A completed order is a purchase like any other, and one that came back is a return."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from till_events.order import Delivery, Line, PurchaseRecorded, PurchaseReturned, Tender
from till_order.domain.fulfilment import purchase_id_of, sale_of, slip_of
from till_order.domain.move import Move
from till_order.domain.order import Order
from till_order.domain.payment import Payment
from till_order.domain.placement import Placement, number_for, order_id_for
from till_order.domain.receipt import Back, Receipt
from till_order.domain.store import Store
from till_order.domain.workflow import Workflow, default_statuses, default_transitions
from till_platform.domain import Invalid
from till_platform.testing import given, happened

PLACED = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
DONE = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
"""Late in the evening of the 21st where the store is."""


def store() -> Store:
    opened = Store("store-s-1")
    opened.open(name="Main Street", zone="America/New_York", currency="USD", country="US", now=PLACED)
    return opened


def chain() -> Workflow:
    workflow = Workflow(Workflow.stream("default"))
    workflow.publish(default_statuses(), default_transitions(), "new", PLACED)
    return workflow


def placement(delivery_costs: int = 0) -> Placement:
    return Placement(
        store_id="s-1",
        number="s-1-7",
        channel="web",
        currency="USD",
        lines=tuple(Line(line_id=n, product_id=f"p-{n}", quantity=Decimal(2), paid_minor=n * 500) for n in (1, 4)),
        delivery=Delivery(method="courier", cost_minor=delivery_costs),
        customer_id="c-1",
    )


def completed(*payments: Payment, delivery_costs: int = 0) -> Order:
    order = Order(Order.stream("o-1"))
    order.place(placement(delivery_costs), chain(), PLACED)
    for payment in payments:
        order.pay(payment, PLACED)
    for status in ("approval", "assembly", "delivery", "completed"):
        order.move(Move(to_status=status, operator_id="op-9" if status == "completed" else None), chain(), DONE)
    return order


def paid(amount: int, method: str = "card") -> Payment:
    return Payment(payment_id=f"{method}-{amount}", method=method, amount_minor=amount)


def test_a_completed_order_is_a_purchase_on_the_stores_own_day() -> None:
    order = completed(paid(1_500), paid(1_000, "gift_card"))
    sale = sale_of(order, store(), DONE)
    given(Receipt(Receipt.stream(sale.purchase_id))).when(lambda r: r.record_sale(sale)).then(
        happened(
            PurchaseRecorded,
            purchase_id=purchase_id_of(order, store()),
            till_id="orders",
            receipt_number="s-1-7",
            business_date=date(2026, 11, 21),
            total_minor=2_500,
            lines=order.lines,
            tenders=(Tender("card", 1_500), Tender("gift_card", 1_000)),
            channel="web",
            customer_id="c-1",
            order_id="o-1",
            operator_id="op-9",
            occurred_at=DONE,
        )
    )


def test_what_the_delivery_cost_is_a_line_of_its_own() -> None:
    sale = sale_of(completed(paid(2_800), delivery_costs=300), store(), DONE)
    (*_, delivery) = sale.lines
    assert (delivery.line_id, delivery.product_id, delivery.paid_minor) == (5, "delivery", 300)
    assert sale.total_minor == sum(line.paid_minor for line in sale.lines) == 2_800


def test_an_order_that_is_not_completed_has_come_to_no_purchase() -> None:
    order = Order(Order.stream("o-1"))
    order.place(placement(), chain(), PLACED)
    assert purchase_id_of(order, store()) is None


def test_an_order_that_came_back_is_given_back_in_full_on_the_day_it_came() -> None:
    order = completed(paid(2_500))
    receipt = Receipt(Receipt.stream(purchase_id_of(order, store()) or ""))
    receipt.record_sale(sale_of(order, store(), DONE))
    receipt.collect_events()
    slip = slip_of(order, store(), DONE + timedelta(days=3))
    everything = [Back(line_id=line.line_id, quantity=line.quantity) for line in order.lines]
    given(receipt).when(lambda r: r.take_back(slip, everything)).then(
        happened(
            PurchaseReturned,
            return_number="s-1-7",
            business_date=date(2026, 11, 24),
            total_minor=2_500,
            refunds=(Tender("card", 2_500),),
        )
    )


def test_the_stores_own_id_names_the_order_and_without_one_every_order_is_new() -> None:
    assert order_id_for("s-1", "web-77") == order_id_for("s-1", "web-77")
    assert order_id_for("s-1", "web-77") != order_id_for("s-2", "web-77")
    assert order_id_for("s-1", None) != order_id_for("s-1", None)


def test_the_number_a_customer_is_told_names_store_and_day_and_follows_from_the_order() -> None:
    number = number_for("o-1", store(), DONE)
    assert number.startswith("s-1-261121-")
    assert number == number_for("o-1", store(), DONE) != number_for("o-2", store(), DONE)
    assert not set(number.rpartition("-")[2]) & set("ILOU"), "letters that are taken for others on the phone"


def test_a_delivery_costs_no_less_than_nothing() -> None:
    given(Order("order-o-1")).when(lambda o: o.place(placement(-1), chain(), PLACED)).then_refused(
        Invalid, field="delivery.cost_minor"
    )


@pytest.mark.parametrize("method", ["card", "gift_card"])
def test_money_that_went_back_before_completion_is_no_tender_of_the_purchase(method: str) -> None:
    order = Order(Order.stream("o-1"))
    order.place(placement(), chain(), PLACED)
    order.pay(paid(1_000, "card"), PLACED)
    order.pay(paid(1_000, "gift_card"), PLACED)
    order.refund(Payment(payment_id="back", method=method, amount_minor=1_000), PLACED)
    order.pay(paid(1_500, "cash"), PLACED)
    (other,) = {"card", "gift_card"} - {method}
    assert set(order.money.tenders()) == {Tender(other, 1_000), Tender("cash", 1_500)}
