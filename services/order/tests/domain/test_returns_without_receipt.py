from datetime import UTC, date, datetime
from decimal import Decimal

from till_events.order import PurchaseReturned, ReturnedLine, ReturnSlipUsed, Tender
from till_order.domain.refund import RefundsDoNotMatch
from till_order.domain.slip import RefundTooHigh, ReturnSlip, Slip, SlipConflict
from till_platform.domain import Invalid
from till_platform.testing import given, happened

SLIP = Slip(
    return_id="r-1",
    store_id="s-1",
    till_id="2",
    return_number="5",
    business_date=date(2026, 11, 22),
    currency="USD",
    occurred_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
)
LIMIT = 20_000


def goods(refund: int = 500, quantity: str = "1") -> list[ReturnedLine]:
    return [ReturnedLine(product_id="p-1", quantity=Decimal(quantity), refund_minor=refund)]


def take_back(lines: list[ReturnedLine], *refunds: Tender, limit: int | None = LIMIT):
    return lambda s: s.take_back_without_receipt(SLIP, lines, refunds, limit_minor=limit, customer_id="c-1")


def test_goods_without_a_receipt_go_back_for_the_stated_refund() -> None:
    given(ReturnSlip("return-r-1")).when(take_back(goods(), Tender("cash", 500))).then(
        happened(PurchaseReturned, return_id="r-1", total_minor=500, purchase_id=None, customer_id="c-1")
    )


def test_the_refund_is_stated_to_the_cent() -> None:
    given(ReturnSlip("return-r-1")).when(take_back(goods(), Tender("cash", 499))).then_refused(RefundsDoNotMatch)


def test_without_a_receipt_only_so_much_goes_back() -> None:
    given(ReturnSlip("return-r-1")).when(take_back(goods(20_001), Tender("cash", 20_001))).then_refused(
        RefundTooHigh, limit_minor=LIMIT
    )


def test_somebody_without_a_limit_may_give_back_more() -> None:
    given(ReturnSlip("return-r-1")).when(take_back(goods(20_001), Tender("cash", 20_001), limit=None)).then(
        happened(PurchaseReturned, total_minor=20_001)
    )


def test_the_same_slip_again_changes_nothing() -> None:
    slip = ReturnSlip("return-r-1")
    take_back(goods(), Tender("cash", 500))(slip)
    slip.collect_events()
    given(slip).when(take_back(goods(), Tender("cash", 500))).then_nothing()


def test_a_slip_is_used_once() -> None:
    slip = ReturnSlip("return-r-1")
    slip.use_for(SLIP, "b-1")
    slip.collect_events()
    given(slip).when(lambda s: s.use_for(SLIP, "b-1")).then_nothing()
    given(slip).when(lambda s: s.use_for(SLIP, "b-2")).then_refused(SlipConflict)
    given(slip).when(take_back(goods(), Tender("cash", 500))).then_refused(SlipConflict)


def test_a_slip_used_for_a_receipt_remembers_which() -> None:
    given(ReturnSlip("return-r-1")).when(lambda s: s.use_for(SLIP, "b-1")).then(
        happened(ReturnSlipUsed, return_id="r-1", purchase_id="b-1")
    )


def test_something_must_come_back() -> None:
    given(ReturnSlip("return-r-1")).when(take_back([])).then_refused(Invalid, field="lines")
    given(ReturnSlip("return-r-1")).when(take_back(goods(quantity="0"), Tender("cash", 500))).then_refused(Invalid)
    given(ReturnSlip("return-r-1")).when(take_back(goods(-1), Tender("cash", -1))).then_refused(Invalid)
