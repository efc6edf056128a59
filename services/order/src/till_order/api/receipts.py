"""Receipts: told by tills one by one or a year at a time, and looked up again."""

from collections.abc import AsyncIterator
from datetime import date
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from till_order.api.access import Reader, Seller
from till_order.api.answers import Answer, ndjson_of, problem_of, rejected
from till_order.api.bodies import Amount, Body, Id, Lines, Moment, Tenders
from till_order.api.past import PastVersion, as_of
from till_order.api.receipt_card import ReceiptCard, ReceiptRow, RecordedReply
from till_order.commands.open_store import KnownStores
from till_order.commands.record_receipts import Outcome, RecordReceipt, record_receipt, record_receipts
from till_order.domain.lines import TotalsDoNotMatch
from till_order.domain.receipt import Receipt, ReceiptConflict
from till_order.domain.store import UnknownStore
from till_order.projections.cards import card_owners
from till_order.projections.receipts import ReceiptFilter, list_receipts
from till_platform.domain import DomainError, Forbidden, NotFound
from till_platform.http import (
    ClockDep,
    CursorDep,
    LogDep,
    Once,
    Page,
    ReadsDep,
    Who,
    ndjson_in,
    ndjson_out,
    problems,
    streamed,
    tag,
)

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])
_LONGEST_LINE = 900_000  # an event must stay below a megabyte, and is a little longer than what was told
_decoder = msgspec.json.Decoder(RecordReceipt)


class ReceiptBody(Body):
    """A receipt as a till prints it. Lines, tenders and total come to the same sum.

    Store, till, number and business day name a receipt for ever: told again it changes nothing. Quantities and amounts of zero are kept as
    they are. `card_number` finds the customer if none is named; a receipt of a card that nobody knows is kept without.
    """

    store_id: Id
    till_id: Id
    receipt_number: Id
    occurred_at: Moment
    total_minor: Amount
    lines: Lines
    tenders: Tenders
    business_date: date | None = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    channel: Id = "store"
    customer_id: Id | None = None
    card_number: Id | None = None
    operator_id: Id | None = None
    offline: bool = False

    def to_command(self) -> RecordReceipt:
        return msgspec.convert(self.model_dump(), RecordReceipt)


class ReceiptAnswer(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one line of a list of receipts: `recorded`, `repeated`, `conflict` or `rejected`."""

    purchase_id: str | None = None


@router.post("", status_code=201, responses=problems(UnknownStore, TotalsDoNotMatch, ReceiptConflict))
async def add_receipt(
    body: ReceiptBody, who: Seller, log: LogDep, reads: ReadsDep, clock: ClockDep, once: Once
) -> RecordedReply:
    """Record a receipt. 201 if it is new, 200 if it is known and the same, 409 if it is known and not the same."""
    who.must_reach(body.store_id)
    command, owners = body.to_command(), partial(card_owners, reads)
    return await once(lambda: log.retrying(lambda: record_receipt(command, log, owners, clock.now())), RecordedReply.of)


@router.post(":batch", **ndjson_of(ReceiptBody, ReceiptAnswer))
@streamed
async def add_receipts(request: Request, who: Seller, log: LogDep, reads: ReadsDep, clock: ClockDep) -> Response:
    """Record any number of receipts, one JSON document a line, and answer each: `recorded`, `repeated`, `conflict` or `rejected`.

    Needs no Idempotency-Key: a receipt sent again is answered with `repeated`.
    """
    stores, owners = KnownStores(log), partial(card_owners, reads)

    async def answers() -> AsyncIterator[list[ReceiptAnswer]]:
        async for chunk in ndjson_in(request, _decode, chunk=500):
            told = [(line, _within_reach(item, who)) for line, item in chunk]
            commands = [item for _, item in told if isinstance(item, RecordReceipt)]
            outcomes = iter(await record_receipts(commands, log, stores, owners, clock.now()))
            yield [
                ReceiptAnswer(line=line, **rejected(item))
                if isinstance(item, DomainError)
                else _answer(line, next(outcomes))
                for line, item in told
            ]

    return ndjson_out(answers())


@router.get("")
async def find_receipts(
    who: Reader,
    reads: ReadsDep,
    cursor: CursorDep,
    store_id: Annotated[str | None, Query(max_length=64)] = None,
    customer_id: Annotated[str | None, Query(max_length=64)] = None,
    business_date: date | None = None,
) -> Page[ReceiptRow]:
    """List receipts, the latest sale first."""
    if store_id is not None:
        who.must_reach(store_id)
    wanted = ReceiptFilter(
        stores=who.store_filter(), store_id=store_id, customer_id=customer_id, business_date=business_date
    )
    rows = await list_receipts(reads, wanted, cursor.after, cursor.fetch)
    return cursor.page(
        rows, key=lambda row: (row["occurred_at"], row["purchase_id"]), item=lambda row: ReceiptRow(**row)
    )


@router.get("/{purchase_id}", responses=problems(NotFound))
async def show_receipt(
    purchase_id: Annotated[str, Path(max_length=64)],
    who: Reader,
    log: LogDep,
    response: Response,
    version: PastVersion = None,
) -> ReceiptCard:
    """Show a receipt with its returns and what can still come back."""
    receipt = await log.load(Receipt, purchase_id)
    who.must_reach(receipt.purchase.store_id)
    receipt = await as_of(log, receipt, version)
    tag(response, receipt.version)
    return ReceiptCard.of(receipt)


def _decode(line: bytes) -> RecordReceipt:
    if len(line) > _LONGEST_LINE:
        raise msgspec.ValidationError(f"the receipt is longer than {_LONGEST_LINE} bytes")
    return _decoder.decode(line)


def _within_reach(item: RecordReceipt | DomainError, who: Who) -> RecordReceipt | DomainError:
    if isinstance(item, DomainError) or who.reaches(item.store_id):
        return item
    return Forbidden(f"your token does not reach store {item.store_id}", store_id=item.store_id)


def _answer(line: int, outcome: Outcome) -> ReceiptAnswer:
    if outcome.refusal is None:
        status = "repeated" if outcome.repeated else "recorded"
        return ReceiptAnswer(line=line, status=status, purchase_id=outcome.purchase_id)
    status = "conflict" if isinstance(outcome.refusal, ReceiptConflict) else "rejected"
    return ReceiptAnswer(line=line, status=status, purchase_id=outcome.purchase_id, problem=problem_of(outcome.refusal))
