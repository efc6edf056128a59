"""Stretches of business days, and what they are compared with."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from till_platform.domain import Invalid

Comparison = Literal["previous", "year_before"]

_WEEKDAYS_A_YEAR = timedelta(weeks=52)


@dataclass(frozen=True)
class Period:
    """Business days from `first` to `last`, both included. Raises `Invalid` when the last is before the first."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise Invalid("the period ends before it begins", field="to")

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def compared_with(self, comparison: Comparison) -> "Period":
        """Return the days before it, as many as it has; or the same weekdays a year (52 weeks) before."""
        back = _WEEKDAYS_A_YEAR if comparison == "year_before" else timedelta(days=self.days)
        if self.first - date.min < back:
            raise Invalid("there are no days before that period", field="from")
        return Period(self.first - back, self.last - back)


@dataclass(frozen=True)
class Change:
    """A figure now and in the period before."""

    now: int
    before: int

    @property
    def absolute(self) -> int:
        return self.now - self.before

    @property
    def ratio(self) -> Decimal | None:
        """The growth in parts of the figure before, exact to four places (0.1250 is 12.5 %); None where there was nothing to grow from."""
        return share(self.absolute, self.before)


def share(part: int, whole: int) -> Decimal | None:
    """Return `part` in parts of `whole`, to four places, halves to the even one; None of nothing, or of less."""
    return (Decimal(part) / whole).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if whole > 0 else None


def mean(total: int, count: int) -> int | None:
    """Return `total` per `count`, in whole units, halves to the even one; None of nothing."""
    return int((Decimal(total) / count).to_integral_value(ROUND_HALF_EVEN)) if count else None
