"""How many points an event brings to an account or takes from it. Putting points aside moves none."""

from till_events.base import Event
from till_events.loyalty import (
    Allocation,
    PointsAccrued,
    PointsAdjusted,
    PointsExpired,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
)


def movements(event: Event) -> tuple[Allocation, ...]:
    """Return which lots the event adds points to, or with a minus takes them from."""
    match event:
        case PointsAccrued():
            return (Allocation(event.lot_id, event.points),)
        case PointsReversed() | PointsRedeemed():
            return _negative(event.allocations)
        case PointsRestored():
            return event.allocations
        case PointsExpired():
            return (Allocation(event.lot_id, -event.points),)
        case PointsAdjusted():
            return event.allocations if event.points > 0 else _negative(event.allocations)
    return ()


def moved(event: Event) -> int:
    """Return the sum of the event's movements: its entry in the ledger."""
    if type(event) is PointsAccrued:
        return event.points
    return sum(movement.points for movement in movements(event))


def _negative(allocations: tuple[Allocation, ...]) -> tuple[Allocation, ...]:
    return tuple(Allocation(part.lot_id, -part.points) for part in allocations)
