"""Who of the staff does what with messages."""

from typing import Annotated

from till_platform.http import Who, allow

Reader = Annotated[Who, allow()]
Writer = Annotated[Who, allow("marketer", "admin")]
Correspondent = Annotated[Who, allow("manager", "marketer", "admin")]

_KNOW_CUSTOMERS = ("cashier", "manager", "marketer", "admin", "integration")


def may_see_customers(who: Who) -> bool:
    """Tell whether the caller deals with customers. Analysts and auditors count and check messages and need not know whose they are."""
    return who.is_any(*_KNOW_CUSTOMERS)


def masked(address: str | None) -> str | None:
    """Return an address of which only enough is left to tell two of them apart: `•••001`, `•••@example.com`."""
    if address is None:
        return None
    _, at, domain = address.rpartition("@")
    return f"•••@{domain}" if at else f"•••{address[-3:]}"
