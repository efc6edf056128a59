"""Accounts: what is on them, why, and corrections by hand."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from till_events.ids import new_id
from till_loyalty.api.access import Correcting, Reader, may_read_comments
from till_loyalty.api.bodies import PRINTABLE, AdjustmentBody, Moment, PathId
from till_loyalty.api.replies import (
    AccountCardsReply,
    AccountReply,
    AdjustmentReply,
    BalanceReply,
    EntryReply,
    LotReply,
)
from till_loyalty.commands.correct_account import AdjustPoints, adjust_points, give_another_card
from till_loyalty.domain.account import Account
from till_loyalty.domain.errors import NotEnoughPoints, UnknownAccount
from till_loyalty.projections import accounts, ledgers, lots
from till_platform.http import ClockDep, CursorDep, LogDep, Once, Page, ReadsDep, Who, problems, tag
from till_platform.projections.reads import Reads

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


@router.get("")
async def find(
    customer_id: Annotated[str, Query(min_length=1, max_length=128, pattern=PRINTABLE)],
    who: Reader,  # noqa: ARG001 - any role may look
    reads: ReadsDep,
) -> Page[AccountReply]:
    """Find the account of a customer."""
    found = await accounts.accounts_of_customer(reads, customer_id)
    return Page(items=[AccountReply(**row) for row in found])


@router.get("/{account_id}", responses=problems(UnknownAccount))
async def show(account_id: PathId, who: Reader, reads: ReadsDep, response: Response) -> AccountReply:  # noqa: ARG001 - any role may look
    """Show an account and its cards."""
    row = await _account(reads, account_id)
    tag(response, row["sequence"])
    return AccountReply(**row)


@router.get("/{account_id}/ledger", responses=problems(UnknownAccount))
async def ledger(account_id: PathId, who: Reader, reads: ReadsDep, cursor: CursorDep) -> Page[EntryReply]:
    """Show everything that happened to an account, newest first, and the balance after each entry."""
    await _account(reads, account_id)
    before = int(str(cursor.after[0])) if cursor.after else None
    rows = await ledgers.entries(reads, account_id, before=before, limit=cursor.fetch)
    return cursor.page(rows, key=lambda row: (row["sequence"],), item=lambda row: _entry(row, who))


@router.get("/{account_id}/lots", responses=problems(UnknownAccount))
async def alive(account_id: PathId, who: Reader, reads: ReadsDep, clock: ClockDep) -> Page[LotReply]:  # noqa: ARG001 - any role may look
    """Show the lots that points are left in, in the order they will be spent."""
    await _account(reads, account_id)
    return Page(items=[LotReply(**row) for row in await lots.lots_alive(reads, account_id, clock.now())])


@router.get("/{account_id}/balance", responses=problems(UnknownAccount))
async def balance(
    account_id: PathId,
    who: Reader,  # noqa: ARG001 - any role may look
    reads: ReadsDep,
    clock: ClockDep,
    at: Annotated[Moment | None, Query(description="Any time, past or to come; now if not given.")] = None,
) -> BalanceReply:
    """Show the balance at any time, past or to come, by what happened up to then."""
    await _account(reads, account_id)
    then: datetime = at or clock.now()
    return BalanceReply(account_id=account_id, at=then, **await ledgers.balance_at(reads, account_id, then))


@router.post("/{account_id}/adjustments", status_code=201, responses=problems(UnknownAccount, NotEnoughPoints))
async def adjust(
    account_id: PathId,
    body: AdjustmentBody,
    who: Correcting,  # noqa: ARG001 - the ledger names who did it
    log: LogDep,
    clock: ClockDep,
    once: Once,
) -> AdjustmentReply:
    """Correct a balance by hand, for a reason that stays on record."""
    now = clock.now()
    command = AdjustPoints(account_id=account_id, adjustment_id=new_id(), **body.model_dump())

    def reply(account: Account) -> AdjustmentReply:
        return AdjustmentReply(
            account_id=account_id,
            adjustment_id=command.adjustment_id,
            points=command.points,
            balance=account.balance_at(now),
            pending=account.pending_at(now),
        )

    return await once(lambda: adjust_points(command, log, now), reply)


@router.post("/{account_id}/cards", status_code=201, responses=problems(UnknownAccount))
async def give_card(
    account_id: PathId,
    who: Correcting,  # noqa: ARG001 - the ledger names who did it
    log: LogDep,
    clock: ClockDep,
    once: Once,
) -> AccountCardsReply:
    """Give the customer another card, e.g. in place of a lost one."""
    return await once(lambda: give_another_card(account_id, log, clock.now()), AccountCardsReply.of)


async def _account(reads: Reads, account_id: str) -> dict[str, Any]:
    row = await accounts.account_by_id(reads, account_id)
    if row is None:
        raise UnknownAccount("there is no such account")
    return row


def _entry(row: dict[str, Any], who: Who) -> EntryReply:
    details = row["details"]
    if details and not may_read_comments(who):
        details = {name: value for name, value in details.items() if name != "comment"}
    return EntryReply(**{**row, "details": details})
