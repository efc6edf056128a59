"""What may cause a message, and what a message about it can speak of."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from till_platform.domain import Invalid

PERSONAL = "Personal"
"""No event: somebody of the staff decided to write to one customer."""

VARIABLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "OrderStatusChanged": frozenset({"name", "number", "promised"}),
        "TierChanged": frozenset({"name", "tier", "from_tier"}),
        "CustomerRegistered": frozenset({"name"}),
        PERSONAL: frozenset({"name"}),
    }
)
"""The names a template may use, by what happened: `name` of the customer, `number` of the order, `promised` time in words, `tier`s."""

ALL_VARIABLES = frozenset[str]().union(*VARIABLES.values())

SAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "name": "Anna Kowalska",
        "number": "S1-2026-000123",
        "promised": "between 14:00 and 16:00",
        "tier": "gold",
        "from_tier": "silver",
    }
)


class UnknownHappening(Invalid):
    """Nothing of that name ever causes a message."""

    code = "unknown-happening"


def checked_happening(on: str) -> str:
    """Return the name of an event that rules can answer; raise `UnknownHappening` naming those there are."""
    if on == PERSONAL or on not in VARIABLES:
        raise UnknownHappening(
            "no message can be sent on this", field="on", known=sorted(VARIABLES.keys() - {PERSONAL})
        )
    return on


def shared_variables(happenings: Iterable[str]) -> frozenset[str]:
    """Return the names that all of these happenings tell; every name there is when there are none."""
    return ALL_VARIABLES.intersection(*(VARIABLES[on] for on in happenings))
