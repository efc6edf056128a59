"""Names of things: ids that sort by time, and ids derived from what a shop already calls a thing."""

from datetime import date
from typing import NewType
from uuid import UUID, uuid5

from uuid_utils import uuid7

CustomerId = NewType("CustomerId", str)
StoreId = NewType("StoreId", str)
ProductId = NewType("ProductId", str)
OrderId = NewType("OrderId", str)
PurchaseId = NewType("PurchaseId", str)
AccountId = NewType("AccountId", str)
CardNumber = NewType("CardNumber", str)

_RECEIPTS = UUID("5f8f3a52-6c58-5d0a-8f0e-0d4f7b3c1a01")
_RETURNS = UUID("5f8f3a52-6c58-5d0a-8f0e-0d4f7b3c1a02")
_ACCOUNTS = UUID("5f8f3a52-6c58-5d0a-8f0e-0d4f7b3c1a03")
_MESSAGES = UUID("5f8f3a52-6c58-5d0a-8f0e-0d4f7b3c1a04")


def new_id() -> str:
    """Return a fresh UUIDv7: unique without asking anybody, and in order of creation."""
    return str(uuid7())


def purchase_id(store_id: str, till_id: str, receipt_number: str, business_date: date) -> PurchaseId:
    """Return the one id of a receipt, derived from what is printed on it, so that a till that sends it twice names the same purchase."""
    return PurchaseId(str(uuid5(_RECEIPTS, _joined(store_id, till_id, receipt_number, business_date.isoformat()))))


def return_id(store_id: str, till_id: str, return_number: str, business_date: date) -> str:
    """Return the one id of a return slip, derived from what is printed on it."""
    return str(uuid5(_RETURNS, _joined(store_id, till_id, return_number, business_date.isoformat())))


def account_id(programme_id: str, customer_id: str) -> AccountId:
    """Return the id of a customer's account in a programme: known before it is opened, so it can only be opened once."""
    return AccountId(str(uuid5(_ACCOUNTS, _joined(programme_id, customer_id))))


def message_id(trigger_event_id: str, recipient: str, template_id: str, channel: str) -> str:
    """Return the id of the one message that an event may cause for a recipient, template and channel."""
    return str(uuid5(_MESSAGES, _joined(trigger_event_id, recipient, template_id, channel)))


def _joined(*parts: str) -> str:
    return "\x1f".join(parts)
