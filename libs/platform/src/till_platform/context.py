"""Under whose name and in whose consequence something is recorded: ambient, so that no use case has to hand it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from till_events.ids import new_id
from till_platform.domain import Aggregate


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What the events recorded within it will say of their origin.

    `correlation_id` ties together all that one command from outside led to; `causation_id` is the event that was reacted to; `actor` is a
    role and an id (`cashier:17`), never a name; `traceparent` the W3C trace context.
    """

    correlation_id: str
    causation_id: str | None = None
    actor: str | None = None
    traceparent: str | None = None


class Answer(Protocol):
    """The answer to a command that carries an idempotency key, to be stored in the transaction that records the command's events."""

    @property
    def key(self) -> str:
        """The idempotency key, made unique per caller."""
        ...

    @property
    def fingerprint(self) -> bytes:
        """A hash of the request, to tell a repeat from another request under the same key."""
        ...

    def render(self, aggregate: Aggregate) -> tuple[int, bytes]:
        """Return status and body of the answer, from the first aggregate saved."""
        ...


_current: ContextVar[Context | None] = ContextVar("till_context", default=None)
_answering: ContextVar[Answer | None] = ContextVar("till_answering", default=None)
_recorded: ContextVar[int] = ContextVar("till_recorded", default=0)


def ambient() -> Context | None:
    """Return the ambient context, if there is one."""
    return _current.get()


def current() -> Context:
    """Return the ambient context; a fresh one, of unknown origin, outside any."""
    return _current.get() or Context(correlation_id=new_id())


@contextmanager
def within(context: Context) -> Iterator[Context]:
    """Record everything inside the block under `context`."""
    token, recorded_before = _current.set(context), _recorded.set(0)
    try:
        yield context
    finally:
        _current.reset(token)
        _recorded.reset(recorded_before)


def answer_wanted() -> Answer | None:
    """Return the answer that the next save must store, if the command carries an idempotency key."""
    return _answering.get()


@contextmanager
def answering(answer: Answer) -> Iterator[None]:
    """Let the next save inside the block store `answer` in its transaction."""
    token = _answering.set(answer)
    try:
        yield
    finally:
        _answering.reset(token)


def recorded(position: int) -> None:
    """Note that what was saved is committed, up to `position`; the answer that was wanted is stored with it, and by no later save again."""
    _recorded.set(position)
    _answering.set(None)


def recorded_position() -> int:
    """Return the position of the last event recorded within the ambient context; 0 if there was none."""
    return _recorded.get()
