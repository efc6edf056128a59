"""Amounts of money, exact: integer minor units (cents, kopecks, grosze) and an ISO 4217 currency."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from till_events.event import Whole

Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code")]
Minor = Annotated[Whole, msgspec.Meta(description="Amount in minor units of the currency, e.g. cents")]
Points = Annotated[Whole, msgspec.Meta(description="Points of a loyalty programme, always whole")]


class Money(msgspec.Struct, frozen=True):
    """An amount in one currency. Adding two currencies raises `ValueError`."""

    amount_minor: Minor
    currency: Currency

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return self + -other


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` minor units (or points) in proportion to non-negative `weights`, so that the parts sum to `total` exactly.

    Largest-remainder method: every part is rounded towards zero, then the units left over go to the largest remainders, the
    first of equals first. A negative total is the mirror image of the positive one. If all weights are zero, the first part
    takes everything. Raises `ValueError` without weights or with a negative one.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("allocation needs at least one weight and none below zero")
    if total < 0:
        return [-part for part in allocate(-total, weights)]
    whole = sum(weights)
    if whole == 0:
        return [total] + [0] * (len(weights) - 1)
    parts = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    left = total - sum(parts)
    for index in sorted(range(len(weights)), key=lambda i: (-remainders[i], i))[:left]:
        parts[index] += 1
    return parts
