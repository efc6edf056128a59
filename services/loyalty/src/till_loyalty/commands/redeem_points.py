"""Pay with points: put them aside, then capture, release, or give them back when the sale is undone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from till_events.ids import OrderId, PurchaseId, StoreId
from till_loyalty.commands.deciding import account_of_card, decide, must_open
from till_loyalty.domain.account import Account
from till_loyalty.domain.errors import HoldSettled
from till_loyalty.domain.holds import Hold
from till_loyalty.domain.programme import Programme
from till_loyalty.domain.redeeming import capture, hold_of, hold_points, release
from till_loyalty.domain.returning import restore
from till_platform.eventstore.log import Log

Reach = Callable[[str], None]
"""Refuses a store the caller may not act in."""


@dataclass(frozen=True, kw_only=True)
class HoldPoints:
    """A till wants points put aside for a sale."""

    card_number: str
    hold_id: str
    points: int
    store_id: str
    order_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class SettleHold:
    """A till says what became of the sale: it went through as this purchase or order, or it did not."""

    account_id: str
    hold_id: str
    reach: Reach
    purchase_id: str | None = None
    order_id: str | None = None


async def hold(command: HoldPoints, log: Log, now: datetime) -> Account:
    """Put points aside. Raises `UnknownCard`, `CardBlocked` or `NotEnoughPoints`."""

    def decision(account: Account, programme: Programme) -> None:
        must_open(account, command.card_number, now)
        hold_points(
            account,
            programme,
            hold_id=command.hold_id,
            points=command.points,
            store_id=StoreId(command.store_id),
            at=now,
            order_id=OrderId(command.order_id) if command.order_id else None,
        )

    return await decide(log, await account_of_card(log, command.card_number), decision)


async def capture_hold(command: SettleHold, log: Log, now: datetime) -> Account:
    """Let held points pay. Raises `UnknownHold`, `HoldExpired` or `HoldSettled`."""

    def decision(account: Account, _: Programme) -> None:
        _reached(account, command)
        capture(
            account,
            command.hold_id,
            at=now,
            purchase_id=PurchaseId(command.purchase_id) if command.purchase_id else None,
            order_id=OrderId(command.order_id) if command.order_id else None,
        )

    return await decide(log, command.account_id, decision)


async def release_hold(command: SettleHold, log: Log, now: datetime) -> Account:
    """Free held points. Raises `UnknownHold` or `HoldSettled`."""

    def decision(account: Account, _: Programme) -> None:
        _reached(account, command)
        release(account, command.hold_id, at=now)

    return await decide(log, command.account_id, decision)


async def restore_hold(command: SettleHold, log: Log, now: datetime) -> Account:
    """Give back the points of a sale that was undone, as far as they did not come back before. Raises `UnknownHold` or `HoldSettled`."""

    def decision(account: Account, _: Programme) -> None:
        spent = _reached(account, command)
        if spent.state != "captured":
            raise HoldSettled("these points never paid: there is nothing to give back", state=spent.state)
        restore(account, spent, spent.points, at=now)

    return await decide(log, command.account_id, decision)


def _reached(account: Account, command: SettleHold) -> Hold:
    found = hold_of(account, command.hold_id)
    command.reach(found.store_id)
    return found
