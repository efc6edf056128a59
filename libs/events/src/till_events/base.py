"""The words in which events are declared, once each, and the one catalogue they are declared in."""

from collections.abc import Callable
from typing import TypeVar

from till_events.event import Event, Moment, Owner, Personal, PersonalText, Whole, fields_marked, known
from till_events.registry import Declaration, Registry

__all__ = [
    "CATALOGUE",
    "Declaration",
    "Event",
    "Moment",
    "Owner",
    "Personal",
    "PersonalText",
    "Whole",
    "declaration_of",
    "declarations",
    "fields_marked",
    "known",
    "private",
    "published",
]

E = TypeVar("E", bound=Event)

CATALOGUE = Registry()
"""Every event of the business."""

declaration_of = CATALOGUE.declaration_of
declarations = CATALOGUE.declarations


def published(*, by: Owner, version: int = 1) -> Callable[[type[E]], type[E]]:
    """Declare an event that the service `by` records and that others may subscribe to."""
    return lambda cls: CATALOGUE.declare(cls, owner=by, major=version, public=True)


def private(*, by: Owner, version: int = 1) -> Callable[[type[E]], type[E]]:
    """Declare an event that stays in the log of `by`: bookkeeping that others must not build on. It is never relayed."""
    return lambda cls: CATALOGUE.declare(cls, owner=by, major=version, public=False)
