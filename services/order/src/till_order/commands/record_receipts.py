"""Record what tills printed: one receipt, or a year of them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from till_events.ids import CardNumber, CustomerId, StoreId, purchase_id
from till_order.commands.open_store import KnownStores, load_store
from till_order.commands.told import Id, LineTold, Moment, TenderTold
from till_order.domain.receipt import Receipt, Sale
from till_order.domain.store import Store
from till_platform.domain import DomainError, Invalid
from till_platform.eventstore.log import Log

CardOwners = Callable[[Sequence[tuple[str, datetime]]], Awaitable[Sequence[str | None]]]
"""Tells whose a card was at a moment, if it was anybody's."""


class RecordReceipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt as a till tells it. Amounts are minor units of the store's currency.

    `business_date` is the store's day the sale counts for, by default the day of `occurred_at` in the store's zone.
    """

    store_id: Id
    till_id: Id
    receipt_number: Id
    occurred_at: Moment
    total_minor: int
    lines: tuple[LineTold, ...]
    tenders: tuple[TenderTold, ...]
    business_date: date | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    channel: Id = "store"
    customer_id: Id | None = None
    card_number: Id | None = None
    operator_id: Id | None = None
    offline: bool = False


class Outcome(Struct, frozen=True):
    """What became of one receipt of a list: recorded, repeated, or refused for a reason."""

    purchase_id: str | None = None
    repeated: bool = False
    refusal: DomainError | None = None


async def record_receipt(command: RecordReceipt, log: Log, owners: CardOwners, now: datetime) -> Receipt:
    """Record a receipt, once. Raises `UnknownStore`, `TotalsDoNotMatch`, `ReceiptConflict` or `Invalid`."""
    (owner,) = await _owners([command], owners)
    sale = _sale(command, await load_store(log, command.store_id), owner, now)
    receipt = await log.find(Receipt, sale.purchase_id)
    receipt.record_sale(sale)
    if receipt.pending:
        await log.save(receipt)
    return receipt


async def record_receipts(
    commands: Sequence[RecordReceipt], log: Log, stores: KnownStores, owners: CardOwners, now: datetime
) -> list[Outcome]:
    """Record many receipts in one go, each answered alone.

    Most receipts are new, so all are recorded as if they were, and only those that turn out to be known are read and compared.
    """
    await stores.read(command.store_id for command in commands)
    drafts: dict[str, Receipt] = {}
    told = [
        _draft(command, stores, owner, now, drafts)
        for command, owner in zip(commands, await _owners(commands, owners), strict=True)
    ]
    saved = await log.save_each(list(drafts.values()))
    known = [identity for identity, outcome in zip(drafts, saved, strict=True) if isinstance(outcome, DomainError)]
    recorded = {**drafts, **(await log.load_many(Receipt, known) if known else {})}
    new = drafts.keys() - set(known)
    outcomes = []
    for sale in told:
        if isinstance(sale, DomainError):
            outcomes.append(Outcome(refusal=sale))
            continue
        outcomes.append(_compared(recorded[sale.purchase_id], sale, first=sale.purchase_id in new))
        new.discard(sale.purchase_id)  # told twice in one list: the second time it is a repeat
    return outcomes


def _draft(
    command: RecordReceipt, stores: KnownStores, owner: str | None, now: datetime, drafts: dict[str, Receipt]
) -> Sale | DomainError:
    try:
        sale = _sale(command, stores.get(command.store_id), owner, now)
        if sale.purchase_id not in drafts:
            receipt = Receipt(Receipt.stream(sale.purchase_id))
            receipt.record_sale(sale)
            drafts[sale.purchase_id] = receipt
    except DomainError as refusal:
        return refusal
    return sale


def _compared(recorded: Receipt, sale: Sale, *, first: bool) -> Outcome:
    if first:
        return Outcome(sale.purchase_id)
    try:
        recorded.check_same(sale)
    except DomainError as refusal:
        return Outcome(sale.purchase_id, refusal=refusal)
    return Outcome(sale.purchase_id, repeated=True)


async def _owners(commands: Sequence[RecordReceipt], owners: CardOwners) -> list[str | None]:
    shown = {
        (command.card_number, command.occurred_at)
        for command in commands
        if command.card_number is not None and command.customer_id is None
    }
    cards = sorted(shown)
    known = dict(zip(cards, await owners(cards), strict=True)) if cards else {}
    return [command.customer_id or known.get((command.card_number or "", command.occurred_at)) for command in commands]


def _sale(command: RecordReceipt, store: Store, customer_id: str | None, now: datetime) -> Sale:
    day = store.day_of(command.occurred_at, command.business_date, now)
    if command.currency is not None and command.currency != store.currency:
        raise Invalid(f"store {store.identity} takes {store.currency}, not {command.currency}", field="currency")
    return Sale(
        purchase_id=purchase_id(command.store_id, command.till_id, command.receipt_number, day),
        store_id=StoreId(command.store_id),
        till_id=command.till_id,
        receipt_number=command.receipt_number,
        business_date=day,
        currency=store.currency,
        total_minor=command.total_minor,
        lines=tuple([line.line() for line in command.lines]),
        tenders=tuple([tender.tender() for tender in command.tenders]),
        channel=command.channel,
        customer_id=CustomerId(customer_id) if customer_id else None,
        card_number=CardNumber(command.card_number) if command.card_number else None,
        operator_id=command.operator_id,
        offline=command.offline,
        occurred_at=command.occurred_at.astimezone(UTC),
    )
