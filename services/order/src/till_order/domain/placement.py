"""What a customer asks for when an order is placed."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from till_events.ids import CustomerId, StoreId
from till_events.order import Delivery, Line, OrderPlaced
from till_order.domain.lines import check_amount, check_ordered
from till_platform.domain import DomainError, Invalid

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
    """Return what an order is worth: its lines and its delivery, in minor units."""
    return sum(line.paid_minor for line in lines) + (delivery.cost_minor if delivery else 0)


def check_promise(promised_from: datetime | None, promised_to: datetime | None) -> None:
    """Refuse a promise that ends before it begins."""
    if promised_from and promised_to and promised_from > promised_to:
        raise Invalid("the promised time ends before it begins", field="promised_to")
