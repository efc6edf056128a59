"""The present, as something that is handed in: tests stop it, turn it back, and let it run."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime


class Clock(ABC):
    """Says what time it is."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the present, aware and in UTC."""


class SystemClock(Clock):
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)
