"""What becomes of points that a till put aside."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import APIRouter

from till_loyalty.api.access import AtTheTill, Correcting
from till_loyalty.api.bodies import CaptureBody, PathId
from till_loyalty.api.replies import HoldReply
from till_loyalty.commands.redeem_points import SettleHold, capture_hold, release_hold, restore_hold
from till_loyalty.domain.account import Account
from till_loyalty.domain.errors import HoldExpired, HoldSettled, UnknownAccount, UnknownHold
from till_platform.eventstore.log import Log
from till_platform.http import ClockDep, LogDep, Once, problems
from till_platform.http.idempotency import OnceCommand

router = APIRouter(prefix="/v1/accounts/{account_id}/holds/{hold_id}", tags=["holds"])

_Handler = Callable[[SettleHold, Log, datetime], Awaitable[Account]]
_REFUSALS = problems(UnknownAccount, UnknownHold, HoldSettled)


@router.post("/capture", responses=problems(UnknownAccount, UnknownHold, HoldExpired, HoldSettled))
async def capture(
    account_id: PathId, hold_id: PathId, body: CaptureBody, who: AtTheTill, log: LogDep, clock: ClockDep, once: Once
) -> HoldReply:
    """Let held points pay: the sale went through."""
    command = SettleHold(account_id=account_id, hold_id=hold_id, reach=who.must_reach, **body.model_dump())
    return await _settle(capture_hold, command, log, clock.now(), once)


@router.post("/release", responses=_REFUSALS)
async def release(
    account_id: PathId, hold_id: PathId, who: AtTheTill, log: LogDep, clock: ClockDep, once: Once
) -> HoldReply:
    """Free held points: the sale did not go through."""
    command = SettleHold(account_id=account_id, hold_id=hold_id, reach=who.must_reach)
    return await _settle(release_hold, command, log, clock.now(), once)


@router.post("/restore", responses=_REFUSALS)
async def restore(
    account_id: PathId, hold_id: PathId, who: Correcting, log: LogDep, clock: ClockDep, once: Once
) -> HoldReply:
    """Give back the points of a sale that was undone without a return slip."""
    command = SettleHold(account_id=account_id, hold_id=hold_id, reach=who.must_reach)
    return await _settle(restore_hold, command, log, clock.now(), once)


async def _settle(handle: _Handler, command: SettleHold, log: Log, now: datetime, once: OnceCommand) -> HoldReply:
    return await once(lambda: handle(command, log, now), lambda account: HoldReply.of(account, command.hold_id, now))
