"""The moves of an order along its workflow: where it goes, and where it has been."""

from datetime import datetime

from msgspec import Struct

from till_order.domain.payment import Payment
from till_platform.domain import DomainError


class IllegalMove(DomainError):
    """The chain's workflow has no such move. `legal` names those that there are."""

    code = "illegal-move"


class Step(Struct, frozen=True, kw_only=True):
    """One entry of an order's history."""

    at: datetime
    to_status: str
    to_phase: str
    from_status: str | None = None
    reason: str | None = None
    operator_id: str | None = None


class Move(Struct, frozen=True, kw_only=True):
    """Where an order goes, why, and what the customer is promised. `payment` is money that is taken at the door."""

    to_status: str
    reason: str | None = None
    operator_id: str | None = None
    promised_from: datetime | None = None
    promised_to: datetime | None = None
    payment: Payment | None = None
