"""The lines of receipts and orders, and the rules that hold for all of them."""

from collections.abc import Sequence
from decimal import Decimal

from till_events.order import Discount, Line, Tender
from till_platform.domain import Invalid

MOST_LINES = 2_000
MOST_TENDERS = 50
MOST_DISCOUNTS = 20
LONGEST_ID = 64
"""Every id, method or unit is read models' keys somewhere: it must be short enough to be one."""
LARGEST_AMOUNT = 10**13
_LARGEST_LINE_ID = 2**31 - 1
_LARGEST_QUANTITY = Decimal(10) ** 12
_FINEST_EXPONENT = -6
_USUAL_QUANTITIES = frozenset(range(1, 25))


class TotalsDoNotMatch(Invalid):
    """A receipt contradicts itself: its lines, its tenders and its total must come to the same sum."""

    code = "totals-do-not-match"


def check_quantity(quantity: Decimal, field: str) -> None:
    """Refuse what no scale and no pump ever shows: less than nothing, infinity, more than a trillion, finer than a millionth."""
    if not quantity.is_finite() or not 0 <= quantity <= _LARGEST_QUANTITY:
        raise Invalid(f"{field} must be between 0 and {_LARGEST_QUANTITY}", field=field)
    exponent = quantity.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST_EXPONENT:
        raise Invalid(f"{field} has more than {-_FINEST_EXPONENT} decimal places", field=field)


def check_id(text: str, field: str) -> None:
    """Refuse an id that is empty, or longer than any system's."""
    if not 0 < len(text) <= LONGEST_ID:
        raise Invalid(f"{field} must be 1 to {LONGEST_ID} characters", field=field)


def check_lines(lines: Sequence[Line]) -> None:
    """Refuse an empty or oversized list of lines, two lines of one number, and impossible quantities.

    The product may be one that head office has not listed yet. Zero quantities and amounts are facts of real tills and stay; so does an
    amount below zero (a coupon corrected, a deposit given back).
    """
    if not lines:
        raise Invalid("there is no line", field="lines")
    if len(lines) > MOST_LINES:
        raise Invalid(f"{len(lines)} lines are more than {MOST_LINES}", field="lines")
    seen: set[int] = set()
    for index, line in enumerate(lines):
        if line.line_id in seen:
            raise Invalid(f"line {line.line_id} is there twice", field=f"lines[{index}].line_id")
        seen.add(line.line_id)
        if not _is_usual(line):
            _check_line(line, f"lines[{index}]")
        if line.discounts:
            _check_discounts(line.discounts, index)


def _is_usual(line: Line) -> bool:
    """Tell at little cost that a line is one of nearly all there are: a year of them has a million and a half."""
    return (
        0 <= line.line_id <= _LARGEST_LINE_ID
        and 0 < len(line.product_id) <= LONGEST_ID
        and 0 < len(line.unit) <= LONGEST_ID
        and -LARGEST_AMOUNT <= line.paid_minor <= LARGEST_AMOUNT
        and line.quantity in _USUAL_QUANTITIES
    )


def _check_line(line: Line, field: str) -> None:
    if not 0 <= line.line_id <= _LARGEST_LINE_ID:
        raise Invalid(f"{field}.line_id must be 0 to {_LARGEST_LINE_ID}", field=f"{field}.line_id")
    check_id(line.product_id, f"{field}.product_id")
    check_id(line.unit, f"{field}.unit")
    check_quantity(line.quantity, f"{field}.quantity")
    check_amount(line.paid_minor, f"{field}.paid_minor")


def _check_discounts(discounts: Sequence[Discount], index: int) -> None:
    field = f"lines[{index}].discounts"
    if len(discounts) > MOST_DISCOUNTS:
        raise Invalid(f"{field} are more than {MOST_DISCOUNTS}", field=field)
    for discount in discounts:
        check_id(discount.kind, field)
        check_amount(discount.amount_minor, field)
        if discount.promotion_id is not None:
            check_id(discount.promotion_id, field)


def check_tenders(tenders: Sequence[Tender], field: str = "tenders") -> None:
    """Refuse means of payment that no till knows."""
    if len(tenders) > MOST_TENDERS:
        raise Invalid(f"{len(tenders)} {field} are more than {MOST_TENDERS}", field=field)
    for index, tender in enumerate(tenders):
        check_id(tender.method, f"{field}[{index}].method")
        check_amount(tender.amount_minor, f"{field}[{index}].amount_minor")


def check_amount(amount_minor: int, field: str) -> None:
    """Refuse an amount that no shop ever takes, in minor units."""
    if not -LARGEST_AMOUNT <= amount_minor <= LARGEST_AMOUNT:
        raise Invalid(f"{field} is beyond {LARGEST_AMOUNT}", field=field)


def check_ordered(lines: Sequence[Line]) -> None:
    """Refuse what may happen at a till but cannot be ordered: nothing of a product, or a price below zero."""
    check_lines(lines)
    for index, line in enumerate(lines):
        if line.quantity == 0:
            raise Invalid("nothing is ordered of this product", field=f"lines[{index}].quantity")
        if line.paid_minor < 0:
            raise Invalid("a price cannot be below zero", field=f"lines[{index}].paid_minor")


def check_totals(total_minor: int, lines: Sequence[Line], tenders: Sequence[Tender]) -> None:
    """Refuse a receipt whose lines, tenders and total do not come to the same sum; names all three."""
    sold = sum(line.paid_minor for line in lines)
    paid = sum(tender.amount_minor for tender in tenders)
    if not sold == paid == total_minor:
        raise TotalsDoNotMatch(
            f"the lines sum to {sold}, the tenders to {paid}, the total is {total_minor}",
            lines_minor=sold,
            tenders_minor=paid,
            total_minor=total_minor,
        )
