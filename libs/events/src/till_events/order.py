"""What the order service records: stores, products, receipts, returns, orders and the workflow they follow."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from till_events.base import Event, Moment, PersonalText, Whole, known, private, published
from till_events.ids import CardNumber, CustomerId, OrderId, ProductId, PurchaseId, StoreId
from till_events.money import Currency, Minor

Channel = Annotated[str, known("store", "web", "phone", "marketplace")]
TenderMethod = Annotated[str, known("cash", "card", "points", "gift_card", "credit", "transfer", "unknown")]
DiscountKind = Annotated[str, known("card_price", "coupon", "coupon_match", "promotion", "personal", "points", "round")]
Phase = Annotated[str, known("new", "approval", "assembly", "delivery", "completed", "cancelled", "returned")]

Quantity = Annotated[
    Decimal,
    Meta(
        description="How much, in `unit`: exact, as text, between 10^-9 and 10^13",
        extra_json_schema={"pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
    ),
]


class Discount(Struct, frozen=True, omit_defaults=True):
    """A part of a line's price that the customer did not pay, fixed at the moment of sale and never spread again."""

    kind: DiscountKind
    amount_minor: Minor
    promotion_id: str | None = None


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One product on a receipt or an order, and what was paid for it.

    `quantity` is a decimal in `unit` (UN/ECE Recommendation 20: `C62` piece, `KGM` kilogram, `LTR` litre, `MLT` millilitre, `GLL` gallon).
    A quantity of zero and a paid amount of zero both occur at real tills and are kept as they are. `paid_minor` is net of `discounts`.
    """

    line_id: Whole
    product_id: ProductId
    quantity: Quantity
    paid_minor: Minor
    unit: str = "C62"
    discounts: tuple[Discount, ...] = ()


class Tender(Struct, frozen=True):
    """A means by which a receipt or an order was paid, or a refund given back."""

    method: TenderMethod
    amount_minor: Minor


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How and when an order reaches the customer. The promised times are UTC."""

    method: Annotated[str, known("pickup", "courier", "parcel")]
    address: PersonalText | None = None
    promised_from: Moment | None = None
    promised_to: Moment | None = None
    cost_minor: Minor = 0


class ReturnedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product that came back, and what was given back for it. `line_id` names the line of the receipt it was bought on."""

    product_id: ProductId
    quantity: Quantity
    refund_minor: Minor
    line_id: Whole | None = None
    unit: str = "C62"
    reason: Annotated[str, known("unwanted", "defective", "expired", "wrong_item", "other")] = "other"


def _measure(lines: Sequence[Line] | Sequence[ReturnedLine]) -> None:
    """Refuse what no scale shows: a quantity that is no number, or is beyond what any shop or database can hold."""
    for line in lines:
        quantity = line.quantity
        if not (quantity.is_finite() and -10 < quantity.adjusted() < 13):
            raise ValueError("a quantity is a number between 10^-9 and 10^13")


class WorkflowStatus(Struct, frozen=True, kw_only=True):
    """A step of a chain's own process and the phase of ours that it belongs to."""

    status: str
    phase: Phase
    name: str


class Transition(Struct, frozen=True):
    """A move of an order that the chain allows."""

    from_status: str
    to_status: str


@published(by="order")
class StoreOpened(Event, frozen=True, kw_only=True):
    """A shop of the chain exists. Its time zone decides which business day a sale belongs to."""

    store_id: StoreId
    name: str
    zone: str
    currency: Currency
    country: str | None = None


@published(by="order")
class ProductListed(Event, frozen=True, kw_only=True):
    """A product is sold by the chain."""

    product_id: ProductId
    name: str
    department: str | None = None
    category: str | None = None
    product_type: str | None = None
    brand: str | None = None
    manufacturer: str | None = None
    size: str | None = None


@published(by="order")
class ProductChanged(Event, frozen=True, kw_only=True):
    """A product is described differently from now on. Carries the whole new description."""

    product_id: ProductId
    name: str
    department: str | None = None
    category: str | None = None
    product_type: str | None = None
    brand: str | None = None
    manufacturer: str | None = None
    size: str | None = None


@published(by="order")
class PurchaseRecorded(Event, frozen=True, kw_only=True):
    """Somebody bought and paid: a receipt was printed at a till, or an order was completed.

    `total_minor` is the sum of the lines' `paid_minor` and of the tenders. `business_date` is the store's day the sale counts for.
    `offline` tells that the till sold without a connection and reported later.
    """

    purchase_id: PurchaseId
    store_id: StoreId
    till_id: str
    receipt_number: str
    business_date: date
    currency: Currency
    total_minor: Minor
    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    channel: Channel = "store"
    customer_id: CustomerId | None = None
    card_number: CardNumber | None = None
    order_id: OrderId | None = None
    operator_id: str | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        _measure(self.lines)


@published(by="order")
class PurchaseReturned(Event, frozen=True, kw_only=True):
    """Goods came back and money was given back. Without `purchase_id` the customer had no receipt."""

    return_id: str
    store_id: StoreId
    till_id: str
    return_number: str
    business_date: date
    currency: Currency
    total_minor: Minor
    lines: tuple[ReturnedLine, ...]
    refunds: tuple[Tender, ...]
    channel: Channel = "store"
    purchase_id: PurchaseId | None = None
    customer_id: CustomerId | None = None
    order_id: OrderId | None = None
    operator_id: str | None = None

    def __post_init__(self) -> None:
        _measure(self.lines)


@published(by="order")
class WorkflowPublished(Event, frozen=True, kw_only=True):
    """The chain decided by which steps its orders go, and which moves between them are allowed."""

    workflow_id: str
    version: Whole
    statuses: tuple[WorkflowStatus, ...]
    transitions: tuple[Transition, ...]
    initial: str


@published(by="order")
class OrderPlaced(Event, frozen=True, kw_only=True):
    """A customer committed to buy. Not yet paid, not yet delivered."""

    order_id: OrderId
    number: str
    store_id: StoreId
    channel: Channel
    currency: Currency
    total_minor: Minor
    lines: tuple[Line, ...]
    status: str
    phase: Phase
    workflow_id: str
    workflow_version: Whole
    delivery: Delivery | None = None
    customer_id: CustomerId | None = None
    external_id: str | None = None
    operator_id: str | None = None
    comment: PersonalText | None = None

    def __post_init__(self) -> None:
        _measure(self.lines)


@published(by="order")
class OrderLinesChanged(Event, frozen=True, kw_only=True):
    """The customer or the shop changed what is ordered. Carries the order's new lines and total, whole."""

    order_id: OrderId
    store_id: StoreId
    lines: tuple[Line, ...]
    total_before_minor: Minor
    total_after_minor: Minor
    currency: Currency
    customer_id: CustomerId | None = None
    operator_id: str | None = None

    def __post_init__(self) -> None:
        _measure(self.lines)


@published(by="order")
class OrderPaymentRecorded(Event, frozen=True, kw_only=True):
    """Money for an order arrived. `paid_minor` is all that was paid for it so far."""

    order_id: OrderId
    store_id: StoreId
    payment_id: str
    method: TenderMethod
    amount_minor: Minor
    paid_minor: Minor
    currency: Currency
    customer_id: CustomerId | None = None


@published(by="order")
class OrderRefunded(Event, frozen=True, kw_only=True):
    """Money for a cancelled or returned order went back. `paid_minor` is what remains paid."""

    order_id: OrderId
    store_id: StoreId
    refund_id: str
    method: TenderMethod
    amount_minor: Minor
    paid_minor: Minor
    currency: Currency
    customer_id: CustomerId | None = None


@published(by="order")
class OrderStatusChanged(Event, frozen=True, kw_only=True):
    """An order moved on. Phases are the same in every chain, statuses are the chain's own.

    `promised_from` and `promised_to` say when the customer was told to expect the goods, if anybody told.
    """

    order_id: OrderId
    number: str
    store_id: StoreId
    from_status: str
    to_status: str
    from_phase: Phase
    to_phase: Phase
    workflow_version: Whole
    customer_id: CustomerId | None = None
    reason: str | None = None
    operator_id: str | None = None
    promised_from: Moment | None = None
    promised_to: Moment | None = None


@private(by="order")
class ReturnSlipUsed(Event, frozen=True, kw_only=True):
    """A printed return slip was used for this receipt, so that it cannot be used for another one."""

    return_id: str
    purchase_id: PurchaseId
