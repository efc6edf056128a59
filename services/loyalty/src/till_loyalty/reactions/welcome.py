"""What every new customer gets, whichever event made them known first: an account and a card."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from till_events.ids import CardNumber, CustomerId
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card, is_card_number, numbers_for
from till_loyalty.domain.errors import CardTaken
from till_loyalty.domain.opening import issue_card, open_account
from till_loyalty.domain.programme import MAIN, Programme
from till_platform.reactions.reaction import Unit

_OFFERED = 8
"""Numbers tried for a card. With ten million cards about, the first is taken once in a thousand times, all eight never."""


def welcome(
    unit: Unit, account: Account, customer_id: CustomerId, *, at: datetime, cards: Iterable[CardNumber] = ()
) -> None:
    """Open the customer's account, let the cards they bring along open it, and give a card to whoever has none.

    Only in-store numbers that nobody else has can be brought along. What is there already stays as it is.
    """
    open_account(account, customer_id=customer_id, programme=unit.get(Programme, MAIN), at=at)
    for number in filter(is_card_number, cards):
        _give(unit, account, number, at=at)
    offered = islice(numbers_for(account.account_id), _OFFERED)
    if not account.cards and not any(_give(unit, account, number, at=at) for number in offered):
        raise CardTaken("every number offered is on somebody else's card")


def _give(unit: Unit, account: Account, number: CardNumber, *, at: datetime) -> bool:
    card = unit.get(Card, number)
    if card.account_id not in (None, account.account_id):
        return False
    card.take(account.account_id, at=at)
    issue_card(account, number, at=at)
    return True
