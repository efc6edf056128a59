from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from till_events.order import Discount, Line, PurchaseRecorded, PurchaseReturned, Tender
from till_order.domain.lines import TotalsDoNotMatch
from till_order.domain.receipt import Back, MoreThanBought, Receipt, ReceiptConflict, Sale
from till_order.domain.refund import RefundsDoNotMatch, split_refund, worth_of
from till_order.domain.slip import Slip, SlipConflict
from till_platform.domain import Invalid
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
DAY = date(2026, 11, 22)


def line(line_id: int = 1, quantity: str = "3", paid: int = 1_000, unit: str = "C62") -> Line:
    return Line(line_id=line_id, product_id=f"p-{line_id}", quantity=Decimal(quantity), paid_minor=paid, unit=unit)


def sale(*lines: Line, **changes: Any) -> Sale:
    lines = lines or (line(),)
    total = sum(each.paid_minor for each in lines)
    told: dict[str, Any] = {
        "purchase_id": "b-1",
        "store_id": "s-1",
        "till_id": "2",
        "receipt_number": "77",
        "business_date": DAY,
        "currency": "USD",
        "total_minor": total,
        "lines": lines,
        "tenders": (Tender("card", total),),
        "occurred_at": NOW,
    }
    return Sale(**(told | changes))


def lines_of(number: int) -> list[Line]:
    return [line(line_id, paid=1) for line_id in range(number)]


def tenders_of(number: int) -> tuple[Tender, ...]:
    """Return so many means of payment of a receipt over 1,000."""
    return (*[Tender("voucher", 1)] * (number - 1), Tender("card", 1_001 - number))


def discounted(times: int) -> Line:
    discounts = (Discount(kind="coupon", amount_minor=1),) * times
    return Line(line_id=1, product_id="p-1", quantity=Decimal(1), paid_minor=1, discounts=discounts)


def receipt(*lines: Line, **changes: Any) -> Receipt:
    printed = Receipt("receipt-b-1")
    printed.record_sale(sale(*lines, **changes))
    printed.collect_events()
    return printed


def slip(number: str = "1", currency: str = "USD") -> Slip:
    return Slip(
        return_id=f"r-{number}",
        store_id="s-2",
        till_id="9",
        return_number=number,
        business_date=DAY,
        currency=currency,
        occurred_at=NOW,
    )


def back(line_id: int = 1, quantity: str = "1") -> Back:
    return Back(line_id=line_id, quantity=Decimal(quantity))


def test_a_receipt_is_recorded_as_the_till_printed_it() -> None:
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(sale())).then(
        happened(PurchaseRecorded, purchase_id="b-1", total_minor=1_000, occurred_at=NOW)
    )


def test_the_same_receipt_again_changes_nothing() -> None:
    given(receipt()).when(lambda r: r.record_sale(sale())).then_nothing()


def test_a_till_that_was_offline_tells_the_same_receipt() -> None:
    given(receipt()).when(lambda r: r.record_sale(sale(offline=True))).then_nothing()


def test_a_card_whose_owner_became_known_in_between_tells_the_same_receipt() -> None:
    again = sale(card_number="2000000000015", customer_id="c-1")
    given(receipt(card_number="2000000000015")).when(lambda r: r.record_sale(again)).then_nothing()


def test_another_receipt_of_the_same_number_is_a_conflict_that_names_what_differs() -> None:
    other = sale(line(paid=999), customer_id="c-9")
    given(receipt()).when(lambda r: r.record_sale(other)).then_refused(
        ReceiptConflict, purchase_id="b-1", differs=["total_minor", "lines", "tenders", "customer_id"]
    )


@pytest.mark.parametrize(
    "changes", [{"total_minor": 999}, {"tenders": (Tender("card", 999),)}, {"tenders": ()}, {"total_minor": 0}]
)
def test_lines_tenders_and_total_come_to_the_same_sum(changes: dict[str, Any]) -> None:
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(sale(**changes))).then_refused(
        TotalsDoNotMatch, lines_minor=1_000
    )


def test_lines_without_quantity_or_value_and_fuel_by_the_drop_are_kept_as_they_are() -> None:
    odd = (line(1, "0", 50), line(2, "1", 0), line(3, "89638", 21_199, "GLL"), line(4, "0", 0))
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(sale(*odd))).then(
        happened(PurchaseRecorded, lines=odd, total_minor=21_249)
    )


def test_a_coupon_corrected_on_the_receipt_may_be_below_zero_but_not_the_whole_receipt() -> None:
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(sale(line(1), line(2, "0", -100)))).then(
        happened(PurchaseRecorded, total_minor=900)
    )
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(sale(line(paid=-1)))).then_refused(
        Invalid, field="total_minor"
    )


def test_a_receipt_without_lines_is_refused() -> None:
    empty = sale(lines=(), total_minor=0, tenders=())
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(empty)).then_refused(Invalid, field="lines")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (line(quantity="NaN"), "lines[0].quantity"),
        (line(quantity="-1"), "lines[0].quantity"),
        (line(quantity="1e500"), "lines[0].quantity"),
        (line(quantity="0e-20"), "lines[0].quantity"),
        (line(line_id=2**40), "lines[0].line_id"),
        (line(unit=""), "lines[0].unit"),
        (Line(line_id=1, product_id="p" * 65, quantity=Decimal(1), paid_minor=0), "lines[0].product_id"),
    ],
)
def test_what_no_till_prints_is_refused_by_name(line: Line, field: str) -> None:
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(sale(line))).then_refused(Invalid, field=field)


@pytest.mark.parametrize(
    ("longest", "too_long", "field"),
    [
        (sale(*lines_of(2_000)), sale(*lines_of(2_001)), "lines"),
        (sale(tenders=tenders_of(50)), sale(tenders=tenders_of(51)), "tenders"),
        (sale(discounted(20)), sale(discounted(21)), "lines[0].discounts"),
    ],
)
def test_a_receipt_longer_than_any_till_prints_is_refused(longest: Sale, too_long: Sale, field: str) -> None:
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(longest)).then(happened(PurchaseRecorded))
    given(Receipt("receipt-b-1")).when(lambda r: r.record_sale(too_long)).then_refused(Invalid, field=field)


def test_what_was_paid_goes_back_not_the_list_price() -> None:
    given(receipt(line(quantity="3", paid=1_000))).when(lambda r: r.take_back(slip(), [back()])).then(
        happened(PurchaseReturned, purchase_id="b-1", store_id="s-2", total_minor=333, refunds=(Tender("card", 333),))
    )


def test_returning_in_steps_gives_back_exactly_what_was_paid() -> None:
    steps = receipt(line(quantity="3", paid=1_000))
    for number in ("1", "2", "3"):
        steps.take_back(slip(number), [back()])
    assert [returned.total_minor for returned in steps.returns.values()] == [333, 334, 333]
    assert steps.returnable() == []


def test_never_more_comes_back_than_was_bought() -> None:
    given(receipt()).when(lambda r: r.take_back(slip(), [back(quantity="4")])).then_refused(
        MoreThanBought, line_id=1, bought="3", left="3"
    )


def test_never_more_comes_back_than_is_left() -> None:
    once = receipt()
    once.take_back(slip("1"), [back(quantity="2")])
    once.collect_events()
    given(once).when(lambda r: r.take_back(slip("2"), [back(quantity="2")])).then_refused(MoreThanBought, left="1")


def test_a_line_without_quantity_comes_back_once_as_a_whole() -> None:
    deposit = receipt(line(), line(2, "0", 50))
    given(deposit).when(lambda r: r.take_back(slip("1"), [back(2, "0")])).then(
        happened(PurchaseReturned, total_minor=50)
    )
    given(deposit).when(lambda r: r.take_back(slip("2"), [back(2, "0")])).then_refused(MoreThanBought, line_id=2)


def test_goods_by_weight_come_back_by_weight() -> None:
    given(receipt(line(quantity="1.250", paid=999, unit="KGM"))).when(
        lambda r: r.take_back(slip(), [back(quantity="0.5")])
    ).then(happened(PurchaseReturned, total_minor=400))


def test_the_same_slip_again_changes_nothing() -> None:
    once = receipt()
    once.take_back(slip(), [back()])
    once.collect_events()
    given(once).when(lambda r: r.take_back(slip(), [back()])).then_nothing()


def test_a_slip_with_another_content_is_a_conflict() -> None:
    once = receipt()
    once.take_back(slip(), [back()])
    once.collect_events()
    given(once).when(lambda r: r.take_back(slip(), [back(quantity="2")])).then_refused(SlipConflict, return_id="r-1")


def test_money_goes_back_the_way_it_came_unless_said_otherwise() -> None:
    both = receipt(line(quantity="1", paid=1_000), tenders=(Tender("points", 250), Tender("card", 750)))
    given(both).when(lambda r: r.take_back(slip(), [back()])).then(
        happened(PurchaseReturned, refunds=(Tender("points", 250), Tender("card", 750)))
    )


def test_a_till_may_say_how_the_money_went_back() -> None:
    given(receipt()).when(lambda r: r.take_back(slip(), [back()], [Tender("cash", 333)])).then(
        happened(PurchaseReturned, refunds=(Tender("cash", 333),))
    )


def test_refunds_come_to_what_the_goods_come_to() -> None:
    given(receipt()).when(lambda r: r.take_back(slip(), [back()], [Tender("cash", 334)])).then_refused(
        RefundsDoNotMatch, goods_minor=333, refunds_minor=334
    )


@pytest.mark.parametrize(
    ("backs", "field"),
    [
        ([], "lines"),
        ([back(), back()], "lines"),
        ([back(9)], "lines[0].line_id"),
        ([back(quantity="0")], "lines[0].quantity"),
        ([back(quantity="-1")], "lines[0].quantity"),
    ],
)
def test_a_return_that_makes_no_sense_is_refused(backs: list[Back], field: str) -> None:
    given(receipt()).when(lambda r: r.take_back(slip(), backs)).then_refused(Invalid, field=field)


def test_a_corrected_coupon_cannot_come_back_alone() -> None:
    coupon = receipt(line(), line(2, "0", -100))
    given(coupon).when(lambda r: r.take_back(slip(), [back(2, "0")])).then_refused(Invalid, field="lines")
    given(coupon).when(lambda r: r.take_back(slip(), [back(1, "3"), back(2, "0")])).then(
        happened(PurchaseReturned, total_minor=900)
    )


def test_money_goes_back_in_the_currency_it_came_in() -> None:
    given(receipt()).when(lambda r: r.take_back(slip(currency="PLN"), [back()])).then_refused(Invalid, field="store_id")


def test_what_can_still_come_back_is_told_line_by_line() -> None:
    partly = receipt(line(), line(2, "0", 50))
    partly.take_back(slip(), [back()])
    assert [(each.line_id, each.quantity, each.refund_minor) for each in partly.returnable()] == [
        (1, 2, 667),
        (2, 0, 50),
    ]


@for_all(
    paid=st.integers(min_value=0, max_value=10**9),
    steps=st.lists(st.decimals(min_value="0.001", max_value=1_000, places=3), min_size=1, max_size=12),
)
def test_any_steps_sum_to_what_was_paid_and_none_takes_money_back(paid: int, steps: list[Decimal]) -> None:
    bought = sum(steps, Decimal(0))
    printed = receipt(Line(line_id=1, product_id="p", quantity=bought, paid_minor=paid))
    for number, step in enumerate(steps):
        printed.take_back(slip(str(number)), [Back(line_id=1, quantity=step)])
    totals = [returned.total_minor for returned in printed.returns.values()]
    assert sum(totals) == paid
    assert min(totals) >= 0
    assert all(sum(t.amount_minor for t in r.refunds) == r.total_minor for r in printed.returns.values())


@for_all(st.integers(0, 10**9), st.dictionaries(st.sampled_from(["cash", "card", "points"]), st.integers(-100, 10**9)))
def test_a_refund_divided_over_means_of_payment_loses_no_cent(total: int, remaining: dict[str, int]) -> None:
    assert sum(part.amount_minor for part in split_refund(total, remaining)) == total


def test_halves_are_rounded_in_the_customers_favour() -> None:
    assert worth_of(5, Decimal(1), Decimal(2)) == 3
    assert worth_of(-5, Decimal(1), Decimal(2)) == -3
