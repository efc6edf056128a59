"""What a customer spent and when: the measure that levels go by."""

from bisect import bisect_left
from datetime import datetime


class Spending:
    """Amounts in order of time, with their running sums: any window is two look-ups, however long the history.

    A purchase nearly always comes last and costs nothing to add; one that reports late shifts the sums behind it.
    """

    __slots__ = ("_sums", "_times")

    def __init__(self) -> None:
        self._times: list[datetime] = []
        self._sums: list[int] = []

    def add(self, at: datetime, amount_minor: int) -> None:
        """Count an amount, negative for goods that went back, at its time."""
        times, sums = self._times, self._sums
        if not times or at > times[-1]:
            times.append(at)
            sums.append((sums[-1] if sums else 0) + amount_minor)
            return
        place = bisect_left(times, at)
        if times[place] != at:
            times.insert(place, at)
            sums.insert(place, sums[place - 1] if place else 0)
        for later in range(place, len(sums)):
            sums[later] += amount_minor

    def between(self, since: datetime, until: datetime) -> int:
        """Return what was spent from `since` (included) to `until` (not included), less what went back; never below zero."""
        return max(0, self._sum_before(until) - self._sum_before(since))

    def _sum_before(self, at: datetime) -> int:
        place = bisect_left(self._times, at)
        return self._sums[place - 1] if place else 0
