"""How much goes back for what comes back: what was paid for it, never the list price."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from till_events.money import allocate
from till_events.order import Tender
from till_platform.domain import Invalid


class RefundsDoNotMatch(Invalid):
    """What the till says it gave back is not what the returned goods come to."""

    code = "refunds-do-not-match"


def worth_of(paid_minor: int, quantity: Decimal, bought: Decimal) -> int:
    """Return what `quantity` out of `bought` units of a line cost, in minor units, halves in the customer's favour.

    It is asked for all that has come back so far, and the refund of a step is the difference to the step before. So returning a line in any
    number of steps gives back exactly what was paid for it.
    """
    digits = max(0, -_exponent(quantity), -_exponent(bought))
    part, whole = int(quantity.scaleb(digits)), int(bought.scaleb(digits))
    return allocate(paid_minor, [part, whole - part])[0]


def split_refund(total_minor: int, remaining: Mapping[str, int]) -> tuple[Tender, ...]:
    """Divide a refund over the means of payment in proportion to what each of them still has to get back."""
    if total_minor == 0:
        return ()
    due = {method: amount for method, amount in remaining.items() if amount > 0} or {next(iter(remaining), "cash"): 1}
    parts = allocate(total_minor, list(due.values()))
    return tuple(Tender(method, part) for method, part in zip(due, parts, strict=True) if part)


def check_refunds(total_minor: int, refunds: Sequence[Tender]) -> None:
    """Refuse refunds that do not sum to the worth of the goods; names both sums."""
    given = sum(refund.amount_minor for refund in refunds)
    if given != total_minor or any(refund.amount_minor < 0 for refund in refunds):
        raise RefundsDoNotMatch(
            f"the goods come to {total_minor}, the refunds to {given}", goods_minor=total_minor, refunds_minor=given
        )


def _exponent(quantity: Decimal) -> int:
    exponent = quantity.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
