"""Who of the staff does what with points."""

from typing import Annotated

from till_platform.http import Who, allow

Reader = Annotated[Who, allow()]
"""Everybody with a role: nothing here tells who a customer is."""

AtTheTill = Annotated[Who, allow("cashier", "manager", "integration", "admin")]
Correcting = Annotated[Who, allow("manager", "admin")]
RuleMaking = Annotated[Who, allow("marketer", "admin")]


def may_read_comments(who: Who) -> bool:
    """Tell whether the caller may read what staff wrote about a customer in their own words."""
    return who.is_any("manager", "admin")
