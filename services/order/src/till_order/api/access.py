"""Who of the staff does what with orders, receipts and goods."""

from typing import Annotated

from till_platform.http import Who, allow

Reader = Annotated[Who, allow()]
Seller = Annotated[Who, allow("cashier", "manager", "integration", "admin")]
Manager = Annotated[Who, allow("manager", "admin")]
Buyer = Annotated[Who, allow("manager", "integration", "admin")]
"""Who says what the chain sells."""
HeadOffice = Annotated[Who, allow("integration", "admin")]
Admin = Annotated[Who, allow("admin")]

_DEAL_WITH_CUSTOMERS = ("cashier", "manager", "integration", "admin", "auditor")


def may_see_customers(who: Who) -> bool:
    """Tell whether the caller deals with customers, and so may read their addresses. Analysts and marketers need no more than ids."""
    return who.is_any(*_DEAL_WITH_CUSTOMERS)
