"""What a customer asks for when an order is placed."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

from msgspec import Struct

from till_events.ids import CustomerId, OrderId, StoreId, new_id
from till_events.order import Delivery, Line, OrderPlaced
from till_order.domain.lines import check_amount, check_ordered
from till_order.domain.store import Store
from till_platform.domain import DomainError, Invalid

_ORDERS = UUID("5f8f3a52-6c58-5d0a-8f0e-0d4f7b3c1a05")
_READABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nobody takes a 0 for an O on the phone
_CONTENT = ("channel", "currency", "lines", "delivery", "customer_id", "comment")


class OrderConflict(DomainError):
    """The store's own id for an order is taken by an order with another content. `differs` names the fields."""

    code = "order-conflict"


class Placement(Struct, frozen=True, kw_only=True):
    """An order before it is one. `external_id` is what the store itself calls it."""

    store_id: StoreId
    number: str
    channel: str
    currency: str
    lines: tuple[Line, ...]
    delivery: Delivery | None = None
    customer_id: CustomerId | None = None
    external_id: str | None = None
    operator_id: str | None = None
    comment: str | None = None

    def check(self) -> None:
        """Raise `Invalid` if nobody could fulfil this."""
        check_ordered(self.lines)
        if self.delivery is not None:
            check_amount(self.delivery.cost_minor, "delivery.cost_minor")
            if self.delivery.cost_minor < 0:
                raise Invalid("a delivery cannot cost less than nothing", field="delivery.cost_minor")
            check_promise(self.delivery.promised_from, self.delivery.promised_to)

    def check_same(self, placed: OrderPlaced) -> None:
        """Raise `OrderConflict` unless this is the order that was placed, told again."""
        differs = [field for field in _CONTENT if getattr(placed, field) != getattr(self, field)]
        if differs:
            raise OrderConflict(
                f"order {self.external_id} of store {self.store_id} is placed with another {', '.join(differs)}",
                order_id=placed.order_id,
                differs=differs,
            )


def total_of(lines: Sequence[Line], delivery: Delivery | None) -> int:
    """Return what an order is worth: its lines and its delivery, in minor units. Raises `Invalid` if nobody could ever pay that."""
    total = sum(line.paid_minor for line in lines) + (delivery.cost_minor if delivery else 0)
    check_amount(total, "lines")
    return total


def check_promise(promised_from: datetime | None, promised_to: datetime | None) -> None:
    """Refuse a promise that ends before it begins."""
    if promised_from and promised_to and promised_from > promised_to:
        raise Invalid("the promised time ends before it begins", field="promised_to")


def order_id_for(store_id: str, external_id: str | None) -> OrderId:
    """Return the id of an order: derived from what the store itself calls it, so that it can be placed only once; else a fresh one."""
    return OrderId(new_id() if external_id is None else str(uuid5(_ORDERS, f"{store_id}\x1f{external_id}")))


def number_for(order_id: str, store: Store, now: datetime) -> str:
    """Return the number customers are told, e.g. `12-261122-7QX9M2KD`: the store, its day, and 40 bits that follow from the order's id."""
    digest = int.from_bytes(sha256(order_id.encode()).digest()[:5])
    code = "".join(_READABLE[digest >> shift & 31] for shift in range(35, -1, -5))
    return f"{store.identity}-{store.business_date(now):%y%m%d}-{code}"
