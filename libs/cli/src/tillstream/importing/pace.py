"""How fast rows go in: as fast as they are taken, or so many a second."""

import math
import time
from collections.abc import Callable

BURSTS_A_SECOND = 10


class Pace:
    """Lets so many rows a second through, so that an import in opening hours leaves tills their speed; all at once without a rate.

    Time that was lost is not made up for: after a pause rows go on at the same rate.
    """

    def __init__(
        self,
        a_second: int | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._a_second = a_second
        self._now = now
        self._sleep = sleep
        self._due = 0.0

    def at_once(self, most: int) -> int:
        """Return how many rows to send together: what would go in a tenth of a second, `most` without a rate."""
        return min(most, math.ceil(self._a_second / BURSTS_A_SECOND)) if self._a_second else most

    def wait(self, rows: int) -> None:
        """Return when these rows may go."""
        if self._a_second is None:
            return
        now = self._now()
        if self._due > now:
            self._sleep(self._due - now)
        self._due = max(self._due, now) + rows / self._a_second
