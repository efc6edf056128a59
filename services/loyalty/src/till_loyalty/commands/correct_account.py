"""Correct a balance by hand, block a card, give another one."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from till_events.ids import CardNumber
from till_loyalty.commands.deciding import account_of_card, decide
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card, numbers_for
from till_loyalty.domain.correcting import adjust
from till_loyalty.domain.errors import CardTaken, UnknownAccount
from till_loyalty.domain.opening import block_card, issue_card
from till_loyalty.domain.programme import Programme
from till_platform.eventstore.log import Log

_OFFERED = 20


@dataclass(frozen=True, kw_only=True)
class AdjustPoints:
    """Somebody gives points, or with a minus takes them, for a reason."""

    account_id: str
    adjustment_id: str
    points: int
    reason: str
    comment: str | None = None


async def adjust_points(command: AdjustPoints, log: Log, now: datetime) -> Account:
    """Correct a balance. Raises `UnknownAccount` or `NotEnoughPoints`."""

    def decision(account: Account, programme: Programme) -> None:
        adjust(
            account,
            programme,
            adjustment_id=command.adjustment_id,
            points=command.points,
            reason=command.reason,
            at=now,
            comment=command.comment,
        )

    return await decide(log, command.account_id, decision)


async def block(number: str, reason: str, log: Log, now: datetime) -> Account:
    """Stop a card from opening its account. Raises `UnknownCard`."""

    def decision(account: Account, _: Programme) -> None:
        block_card(account, CardNumber(number), reason=reason, at=now)

    return await decide(log, await account_of_card(log, number), decision)


async def give_another_card(account_id: str, log: Log, now: datetime) -> Account:
    """Give the account one more card, e.g. in place of a lost one. Raises `UnknownAccount`."""
    return await log.retrying(lambda: _give_another_card(account_id, log, now))


async def _give_another_card(account_id: str, log: Log, now: datetime) -> Account:
    account = await log.find(Account, account_id)
    if not account.exists:
        raise UnknownAccount("there is no such account")
    offered = list(islice(numbers_for(account.account_id), _OFFERED))
    cards = await log.load_many(Card, offered)
    for number in offered:
        if cards[number].account_id is None:
            cards[number].take(account.account_id, at=now)
            issue_card(account, number, at=now)
            await log.save(account, cards[number])
            return account
    raise CardTaken("this account was given as many cards as it can have")
