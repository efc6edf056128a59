"""Who carries messages out of the house: one provider per channel."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A message ready to leave. `message_id` goes with every attempt, so that the other side can tell a repeat."""

    message_id: str
    address: str
    text: str
    subject: str | None = None


class Refused(Exception):
    """The provider will never take this message. `code` says why and holds nothing personal: providers' own words quote addresses."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NoAnswer(Exception):
    """The provider did not take the message, or took it and did not say so: only another attempt can tell. `code` as in `Refused`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Provider(ABC):
    """Carries messages of one channel."""

    @abstractmethod
    async def send(self, outgoing: Outgoing) -> str | None:
        """Hand the message over; return the provider's own id of it, if it has one. Raises `Refused` or `NoAnswer`."""


class NoProvider(Provider):
    """Stands in for a channel that nobody carries: its messages fail visibly, and none waits for ever."""

    def __init__(self, channel: str) -> None:
        self._channel = channel

    async def send(self, outgoing: Outgoing) -> str | None:  # noqa: ARG002 - nothing is done with it
        raise Refused(f"{self._channel}-not-configured")
