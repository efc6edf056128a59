"""How a decision about an account is taken: read it, decide, save; again if somebody else was faster."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from weakref import WeakValueDictionary

from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card
from till_loyalty.domain.errors import CardBlocked, UnknownAccount, UnknownCard
from till_loyalty.domain.programme import Programme
from till_platform.eventstore.log import Log

Decide = Callable[[Account, Programme], object]

_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def decide(log: Log, account_id: str, decision: Decide) -> Account:
    """Take a decision about an account and save it. Raises `UnknownAccount` and whatever the decision refuses.

    Two tills at once are not refused for being two: those that meet in this process wait for each other, one that was overtaken from
    elsewhere reads again and decides anew.
    """
    async with _turns.setdefault(account_id, asyncio.Lock()):
        return await log.retrying(lambda: _decide(log, account_id, decision))


async def account_of_card(log: Log, number: str) -> str:
    """Return the account that a card opens. Raises `UnknownCard`."""
    owner = (await log.find(Card, number)).account_id
    if owner is None:
        raise UnknownCard("nobody was given a card with this number")
    return owner


def must_open(account: Account, number: str, now: datetime) -> None:
    """Refuse a card that no longer opens its account. Raises `CardBlocked`."""
    if not account.opens_with(number, now):
        raise CardBlocked("this card was blocked")


async def _decide(log: Log, account_id: str, decision: Decide) -> Account:
    account = await log.find(Account, account_id)
    if not account.exists:
        raise UnknownAccount("there is no such account")
    decision(account, await log.load(Programme, account.programme_id))
    if account.pending:
        await log.save(account)
    return account
