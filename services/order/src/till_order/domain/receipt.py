"""A purchase and everything that came back of it."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict

from till_events.ids import CardNumber, CustomerId, OrderId, PurchaseId, StoreId
from till_events.order import Line, PurchaseRecorded, PurchaseReturned, ReturnedLine, Tender
from till_order.domain.lines import check_lines, check_quantity, check_tenders, check_totals
from till_order.domain.refund import check_refunds, split_refund, worth_of
from till_order.domain.slip import Slip, SlipConflict
from till_platform.domain import Aggregate, DomainError, Invalid

_NOT_CONTENT = frozenset({"offline"})
"""A till that sends a receipt again may by then know that it was offline the first time: still the same receipt."""


class ReceiptConflict(DomainError):
    """Two receipts carry the same store, till, number and day, and are not the same. `differs` names the fields."""

    code = "receipt-conflict"


class MoreThanBought(DomainError):
    """More comes back than was bought, or than is left of it."""

    code = "more-than-bought"


class Back(Struct, frozen=True, kw_only=True):
    """How much of one line of a receipt comes back, in the line's unit."""

    line_id: int
    quantity: Decimal
    reason: str = "other"


class Returnable(Struct, frozen=True, kw_only=True):
    """What can still come back of one line, and what is given for all of it."""

    line_id: int
    product_id: str
    quantity: Decimal
    unit: str
    refund_minor: int


class Sale(Struct, frozen=True, kw_only=True):
    """What somebody bought and paid, as it is told. `purchase_id` follows from store, till, number and business day."""

    purchase_id: PurchaseId
    store_id: StoreId
    till_id: str
    receipt_number: str
    business_date: date
    currency: str
    total_minor: int
    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    occurred_at: datetime
    channel: str = "store"
    customer_id: CustomerId | None = None
    card_number: CardNumber | None = None
    order_id: OrderId | None = None
    operator_id: str | None = None
    offline: bool = False


class Receipt(Aggregate):
    """One purchase, known by what is printed on it (store, till, number, business day), and its returns."""

    kind = "receipt"
    purchase: PurchaseRecorded

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.returns: dict[str, PurchaseReturned] = {}
        self._back: dict[int, tuple[Decimal, int]] = {}

    def record_sale(self, sale: Sale) -> None:
        """Take what a till printed. The same receipt again changes nothing; a different one raises `ReceiptConflict`."""
        if self.exists:
            self.check_same(sale)
            return
        check_lines(sale.lines)
        check_tenders(sale.tenders)
        check_totals(sale.total_minor, sale.lines, sale.tenders)
        if sale.total_minor < 0:
            raise Invalid("a receipt of less than nothing is a return", field="total_minor")
        self.record(PurchaseRecorded(**asdict(sale)))

    def check_same(self, sale: Sale) -> None:
        """Raise `ReceiptConflict` unless `sale` says what is recorded, naming the fields in which it differs.

        Who the card belonged to may have become known between two tellings, so a customer counts only where the till named one.
        """
        ignored = _NOT_CONTENT if sale.customer_id and not sale.card_number else _NOT_CONTENT | {"customer_id"}
        differs = _differences(self.purchase, sale, ignored)
        if differs:
            raise ReceiptConflict(
                f"receipt {sale.receipt_number} of till {sale.till_id} in store {sale.store_id} on "
                f"{sale.business_date} is recorded with another {', '.join(differs)}",
                purchase_id=self.identity,
                differs=differs,
            )

    def take_back(self, slip: Slip, backs: Sequence[Back], refunds: Sequence[Tender] | None = None) -> None:
        """Take goods back and give back what was paid for them.

        `refunds` says how the money went back and must sum to the worth of the goods; unsaid, it goes back the way it came. The same slip
        again changes nothing. Raises `MoreThanBought`, `RefundsDoNotMatch` or `SlipConflict`.
        """
        if known := self.returns.get(slip.return_id):
            self._check_same_slip(known, slip, backs, refunds)
            return
        if slip.currency != self.purchase.currency:
            raise Invalid(
                f"bought in {self.purchase.currency}, cannot be given back in {slip.currency}", field="store_id"
            )
        lines = tuple(self._returned(index, back) for index, back in enumerate(_each_once(backs)))
        total = sum(line.refund_minor for line in lines)
        if total < 0:
            raise Invalid("these lines alone would cost the customer money to return", field="lines")
        if refunds is not None:
            check_refunds(total, refunds)
        self.record(
            PurchaseReturned(
                return_id=slip.return_id,
                store_id=slip.store_id,
                till_id=slip.till_id,
                return_number=slip.return_number,
                business_date=slip.business_date,
                currency=slip.currency,
                total_minor=total,
                lines=lines,
                refunds=split_refund(total, self._refundable()) if refunds is None else tuple(refunds),
                channel=slip.channel,
                purchase_id=self.purchase.purchase_id,
                customer_id=self.purchase.customer_id,
                order_id=self.purchase.order_id,
                operator_id=slip.operator_id,
                occurred_at=slip.occurred_at,
            )
        )

    def returnable(self) -> list[Returnable]:
        """Return what can still come back, line by line; a line that came back whole is not listed."""
        left = []
        for line in self.purchase.lines:
            back, refunded = self._back.get(line.line_id, (Decimal(0), 0))
            if back < line.quantity or (line.quantity == 0 and line.line_id not in self._back):
                left.append(
                    Returnable(
                        line_id=line.line_id,
                        product_id=line.product_id,
                        quantity=line.quantity - back,
                        unit=line.unit,
                        refund_minor=line.paid_minor - refunded,
                    )
                )
        return left

    def apply(self, event: object) -> None:
        match event:
            case PurchaseRecorded():
                self.purchase = event
            case PurchaseReturned():
                self.returns[event.return_id] = event
                for line in event.lines:
                    if line.line_id is not None:
                        back, refunded = self._back.get(line.line_id, (Decimal(0), 0))
                        self._back[line.line_id] = (back + line.quantity, refunded + line.refund_minor)

    def _returned(self, index: int, back: Back) -> ReturnedLine:
        line = self._line(index, back)
        before, refunded = self._back.get(line.line_id, (Decimal(0), 0))
        left = line.quantity - before
        if back.quantity > left or (line.quantity == 0 and line.line_id in self._back):
            raise MoreThanBought(
                f"line {line.line_id}: {back.quantity} come back, {line.quantity} were bought, {before} came back before",
                line_id=line.line_id,
                bought=str(line.quantity),
                left=str(left),
            )
        # a line sold without a quantity (a fee, a coupon corrected) has no units to count: it comes back once, as a whole
        worth = worth_of(line.paid_minor, before + back.quantity, line.quantity) if line.quantity else line.paid_minor
        return ReturnedLine(
            product_id=line.product_id,
            quantity=back.quantity,
            refund_minor=worth - refunded,
            line_id=line.line_id,
            unit=line.unit,
            reason=back.reason,
        )

    def _line(self, index: int, back: Back) -> Line:
        check_quantity(back.quantity, f"lines[{index}].quantity")
        for line in self.purchase.lines:
            if line.line_id == back.line_id:
                if line.quantity and not back.quantity:
                    raise Invalid("nothing of this line comes back", field=f"lines[{index}].quantity")
                return line
        raise Invalid(f"the receipt has no line {back.line_id}", field=f"lines[{index}].line_id")

    def _refundable(self) -> dict[str, int]:
        remaining: dict[str, int] = {}
        for tender in self.purchase.tenders:
            remaining[tender.method] = remaining.get(tender.method, 0) + tender.amount_minor
        for returned in self.returns.values():
            for refund in returned.refunds:
                remaining[refund.method] = remaining.get(refund.method, 0) - refund.amount_minor
        return remaining

    def _check_same_slip(
        self, known: PurchaseReturned, slip: Slip, backs: Sequence[Back], refunds: Sequence[Tender] | None
    ) -> None:
        told = {(back.line_id, back.quantity, back.reason) for back in backs}
        same = told == {(line.line_id, line.quantity, line.reason) for line in known.lines}
        if not same or (refunds is not None and tuple(refunds) != known.refunds):
            raise SlipConflict.of(slip)


def _each_once(backs: Sequence[Back]) -> Sequence[Back]:
    if not backs:
        raise Invalid("nothing comes back", field="lines")
    if len({back.line_id for back in backs}) < len(backs):
        raise Invalid("a line comes back twice on one slip", field="lines")
    return backs


def _differences(recorded: PurchaseRecorded, told: Sale, ignored: frozenset[str]) -> list[str]:
    return [
        field
        for field in told.__struct_fields__
        if field not in ignored and getattr(recorded, field) != getattr(told, field)
    ]
