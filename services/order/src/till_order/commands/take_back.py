"""Take goods back, with their receipt or without one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from till_events.ids import CustomerId, PurchaseId, StoreId, return_id
from till_events.order import ReturnedLine, Tender
from till_order.commands.open_store import load_store
from till_order.domain.order import Order
from till_order.domain.receipt import Back, Receipt
from till_order.domain.slip import ReturnSlip, Slip
from till_order.domain.store import Store
from till_platform.domain import Aggregate
from till_platform.eventstore.log import Log


@dataclass(frozen=True, kw_only=True)
class SlipHead:
    """The head of a return slip as a till prints it. Day and time default to the present in the store."""

    store_id: str
    till_id: str
    return_number: str
    occurred_at: datetime | None = None
    business_date: date | None = None
    channel: str = "store"
    operator_id: str | None = None

    def slip(self, store: Store, now: datetime) -> Slip:
        occurred_at = self.occurred_at or now
        day = store.day_of(occurred_at, self.business_date, now)
        return Slip(
            return_id=return_id(self.store_id, self.till_id, self.return_number, day),
            store_id=StoreId(self.store_id),
            till_id=self.till_id,
            return_number=self.return_number,
            business_date=day,
            currency=store.currency,
            occurred_at=occurred_at.astimezone(UTC),
            channel=self.channel,
            operator_id=self.operator_id,
        )


@dataclass(frozen=True, kw_only=True)
class TakeBack:
    """Goods of one receipt that come back, to any store of the chain. Without `refunds` the money goes back the way it came."""

    purchase_id: str
    head: SlipHead
    lines: Sequence[Back]
    refunds: Sequence[Tender] | None = None


@dataclass(frozen=True, kw_only=True)
class TakeBackWithoutReceipt:
    """Goods that come back without a receipt, for the refund a manager states, up to `limit_minor` if there is a limit."""

    head: SlipHead
    lines: Sequence[ReturnedLine]
    refunds: Sequence[Tender]
    limit_minor: int | None
    customer_id: str | None = None


async def take_back(command: TakeBack, log: Log, now: datetime) -> Receipt:
    """Take goods back against their receipt. Raises `MoreThanBought`, `RefundsDoNotMatch`, `SlipConflict` or `UnknownStore`.

    If the receipt is that of an order, the order's money follows, so that what it says is paid stays true.
    """
    receipt = await log.load(Receipt, command.purchase_id)
    slip = command.head.slip(await load_store(log, command.head.store_id), now)
    printed = await log.find(ReturnSlip, slip.return_id)
    printed.use_for(slip, PurchaseId(command.purchase_id))
    receipt.take_back(slip, command.lines, command.refunds)
    touched: list[Aggregate] = [receipt, printed]
    if receipt.pending and (order_id := receipt.purchase.order_id):
        order = await log.load(Order, order_id)
        order.give_back_each(receipt.returns[slip.return_id].refunds, slip.return_id, now)
        touched.append(order)
    if receipt.pending:
        await log.save(*touched)
    return receipt


async def take_back_without_receipt(command: TakeBackWithoutReceipt, log: Log, now: datetime) -> ReturnSlip:
    """Take goods back that nobody can say the price of but a manager. Raises `RefundTooHigh`, `RefundsDoNotMatch` or `SlipConflict`."""
    slip = command.head.slip(await load_store(log, command.head.store_id), now)
    printed = await log.find(ReturnSlip, slip.return_id)
    printed.take_back_without_receipt(
        slip,
        command.lines,
        command.refunds,
        limit_minor=command.limit_minor,
        customer_id=CustomerId(command.customer_id) if command.customer_id else None,
    )
    if printed.pending:
        await log.save(printed)
    return printed
