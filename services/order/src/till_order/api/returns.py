"""Goods that come back."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from till_events.ids import ProductId
from till_events.order import ReturnedLine
from till_order.api.access import Manager, Reader, Seller
from till_order.api.bodies import Body, Due, Id, Moment, Quantity, Tenders
from till_order.api.receipt_card import ReceiptCard, ReturnReply, ReturnRow
from till_order.commands.take_back import (
    SlipHead,
    TakeBack,
    TakeBackWithoutReceipt,
    take_back,
    take_back_without_receipt,
)
from till_order.domain.lines import MOST_LINES
from till_order.domain.receipt import Back, MoreThanBought, Receipt
from till_order.domain.refund import RefundsDoNotMatch
from till_order.domain.slip import RefundTooHigh, SlipConflict
from till_order.domain.store import UnknownStore
from till_order.projections.receipts import ReceiptFilter, list_returns
from till_order.settings import OrderSettings
from till_platform.domain import NotFound
from till_platform.http import ClockDep, CursorDep, LogDep, Once, Page, ReadsDep, SettingsDep, Who, problems

router = APIRouter(prefix="/v1", tags=["returns"])


class SlipBody(Body):
    """The head of a return slip. Store, till, number and day name it for ever: told again it changes nothing."""

    store_id: Id
    till_id: Id
    return_number: Id
    occurred_at: Moment | None = None
    business_date: date | None = None
    channel: Id = "store"
    operator_id: Id | None = None

    def head(self, who: Who) -> SlipHead:
        return SlipHead(
            store_id=self.store_id,
            till_id=self.till_id,
            return_number=self.return_number,
            occurred_at=self.occurred_at,
            business_date=self.business_date,
            channel=self.channel,
            operator_id=self.operator_id or who.subject,
        )


class BackBody(Body):
    """How much of a line comes back, in its unit; a line that was sold without a quantity comes back whole, with quantity 0."""

    line_id: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
    quantity: Quantity
    reason: Id = "other"


class ReturnBody(SlipBody):
    """What comes back of a receipt. `refunds` must come to what was paid for it; left out, the money goes back the way it came."""

    lines: Annotated[list[BackBody], Field(min_length=1, max_length=MOST_LINES)]
    refunds: Tenders | None = None


class StatedLineBody(Body):
    """A product that comes back without a receipt, and what is given for it."""

    product_id: Id
    quantity: Quantity
    refund_minor: Due
    unit: Id = "C62"
    reason: Id = "other"


class ReturnWithoutReceiptBody(SlipBody):
    """What comes back without a receipt, what a manager gives for it, and how."""

    lines: Annotated[list[StatedLineBody], Field(min_length=1, max_length=MOST_LINES)]
    refunds: Tenders
    customer_id: Id | None = None


@router.post(
    "/receipts/{purchase_id}/returns",
    status_code=201,
    responses=problems(NotFound, MoreThanBought, RefundsDoNotMatch, SlipConflict, UnknownStore),
)
async def return_goods(
    purchase_id: Annotated[str, Path(max_length=64)],
    body: ReturnBody,
    who: Seller,
    log: LogDep,
    clock: ClockDep,
    once: Once,
) -> ReceiptCard:
    """Take goods back for what was paid for them, never more than is left. The caller reaches the store of the receipt and of the slip."""
    who.must_reach(body.store_id)
    who.must_reach((await log.load(Receipt, purchase_id)).purchase.store_id)
    command = TakeBack(
        purchase_id=purchase_id,
        head=body.head(who),
        lines=[Back(line_id=line.line_id, quantity=line.quantity, reason=line.reason) for line in body.lines],
        refunds=None if body.refunds is None else [refund.tender() for refund in body.refunds],
    )
    return await once(lambda: log.retrying(lambda: take_back(command, log, clock.now())), ReceiptCard.of)


@router.post(
    "/returns", status_code=201, responses=problems(RefundTooHigh, RefundsDoNotMatch, SlipConflict, UnknownStore)
)
async def return_goods_without_receipt(
    body: ReturnWithoutReceiptBody, who: Manager, log: LogDep, clock: ClockDep, settings: SettingsDep, once: Once
) -> ReturnReply:
    """Take goods back without a receipt. A manager states the refund, up to the chain's limit; head office's admins have none."""
    who.must_reach(body.store_id)
    assert isinstance(settings, OrderSettings)
    command = TakeBackWithoutReceipt(
        head=body.head(who),
        lines=[
            ReturnedLine(
                product_id=ProductId(line.product_id),
                quantity=line.quantity,
                refund_minor=line.refund_minor,
                unit=line.unit,
                reason=line.reason,
            )
            for line in body.lines
        ],
        refunds=[refund.tender() for refund in body.refunds],
        limit_minor=None if who.is_any("admin") else settings.return_without_receipt_minor,
        customer_id=body.customer_id,
    )
    return await once(
        lambda: log.retrying(lambda: take_back_without_receipt(command, log, clock.now())), ReturnReply.of_slip
    )


@router.get("/returns")
async def find_returns(
    who: Reader,
    reads: ReadsDep,
    cursor: CursorDep,
    store_id: Annotated[str | None, Query(max_length=64)] = None,
    customer_id: Annotated[str | None, Query(max_length=64)] = None,
    business_date: date | None = None,
) -> Page[ReturnRow]:
    """List return slips, with and without receipts, the latest first."""
    if store_id is not None:
        who.must_reach(store_id)
    wanted = ReceiptFilter(
        stores=who.store_filter(), store_id=store_id, customer_id=customer_id, business_date=business_date
    )
    rows = await list_returns(reads, wanted, cursor.after, cursor.fetch)
    return cursor.page(rows, key=lambda row: (row["occurred_at"], row["return_id"]), item=lambda row: ReturnRow(**row))
