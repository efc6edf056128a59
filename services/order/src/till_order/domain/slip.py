"""The slip a till prints when goods come back."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Self

from msgspec import Struct

from till_events.ids import CustomerId, PurchaseId, StoreId
from till_events.order import PurchaseReturned, ReturnedLine, ReturnSlipUsed, Tender
from till_order.domain.lines import MOST_LINES, check_amount, check_quantity
from till_order.domain.refund import check_refunds
from till_platform.domain import Aggregate, DomainError, Invalid


class Slip(Struct, frozen=True, kw_only=True):
    """What is printed at the head of a return slip. `return_id` follows from store, till, number and day."""

    return_id: str
    store_id: StoreId
    till_id: str
    return_number: str
    business_date: date
    currency: str
    occurred_at: datetime
    channel: str = "store"
    operator_id: str | None = None


class SlipConflict(DomainError):
    """Two return slips carry the same store, till, number and day, and are not the same."""

    code = "return-conflict"

    @classmethod
    def of(cls, slip: Slip) -> Self:
        return cls(
            f"return slip {slip.return_number} of till {slip.till_id} in store {slip.store_id} on {slip.business_date} "
            "is recorded with another content",
            return_id=slip.return_id,
        )


class RefundTooHigh(DomainError):
    """Without a receipt, only so much may be given back on one slip."""

    code = "refund-too-high"
    kind = "forbidden"


class ReturnSlip(Aggregate):
    """One printed slip. It is used once: for one receipt, or for goods that came back without any."""

    kind = "return"
    purchase_id: PurchaseId | None = None
    returned: PurchaseReturned | None = None

    def use_for(self, slip: Slip, purchase_id: PurchaseId) -> None:
        """Bind the slip to a receipt. Raises `SlipConflict` if it was used for anything else."""
        if not self.exists:
            self.record(ReturnSlipUsed(return_id=slip.return_id, purchase_id=purchase_id, occurred_at=slip.occurred_at))
        elif self.purchase_id != purchase_id:
            raise SlipConflict.of(slip)

    def take_back_without_receipt(
        self,
        slip: Slip,
        lines: Sequence[ReturnedLine],
        refunds: Sequence[Tender],
        *,
        limit_minor: int | None,
        customer_id: CustomerId | None = None,
    ) -> None:
        """Take goods back from somebody who has no receipt, for the refund that a manager states, up to `limit_minor`.

        The same slip again changes nothing. Raises `SlipConflict`, `RefundTooHigh` or `RefundsDoNotMatch`.
        """
        total = sum(line.refund_minor for line in lines)
        returned = PurchaseReturned(
            return_id=slip.return_id,
            store_id=slip.store_id,
            till_id=slip.till_id,
            return_number=slip.return_number,
            business_date=slip.business_date,
            currency=slip.currency,
            total_minor=total,
            lines=tuple(lines),
            refunds=tuple(refunds),
            channel=slip.channel,
            customer_id=customer_id,
            operator_id=slip.operator_id,
            occurred_at=slip.occurred_at,
        )
        if self.exists:
            if self.returned is None or (self.returned.lines, self.returned.refunds) != (
                returned.lines,
                returned.refunds,
            ):
                raise SlipConflict.of(slip)
            return
        _check_stated(lines)
        check_refunds(total, refunds)
        if limit_minor is not None and total > limit_minor:
            raise RefundTooHigh(
                f"{total} is more than the {limit_minor} that may be given back without a receipt",
                limit_minor=limit_minor,
            )
        self.record(returned)

    def apply(self, event: object) -> None:
        match event:
            case ReturnSlipUsed():
                self.purchase_id = event.purchase_id
            case PurchaseReturned():
                self.returned = event


def _check_stated(lines: Sequence[ReturnedLine]) -> None:
    if not lines or len(lines) > MOST_LINES:
        raise Invalid(f"a slip has 1 to {MOST_LINES} lines", field="lines")
    for index, line in enumerate(lines):
        check_quantity(line.quantity, f"lines[{index}].quantity")
        check_amount(line.refund_minor, f"lines[{index}].refund_minor")
        if line.quantity == 0 or line.refund_minor < 0:
            raise Invalid("something must come back, and not for less than nothing", field=f"lines[{index}]")
