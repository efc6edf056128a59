"""Numbers on cards: EAN-13 from the range a chain may use within its own shops, and who has which."""

import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b

from till_events.base import Event
from till_events.ids import AccountId, CardNumber
from till_events.loyalty import CardNumberTaken
from till_loyalty.domain.errors import CardTaken
from till_platform.domain import Aggregate

_PREFIX = "20"
_IN_STORE = re.compile(r"2[0-9]{12}")


def check_digit(first_twelve: str) -> str:
    """Return the last digit of an EAN-13."""
    odd, even = sum(map(int, first_twelve[::2])), sum(map(int, first_twelve[1::2]))
    return str(-(odd + 3 * even) % 10)


def is_card_number(number: str) -> bool:
    """Tell whether this is an EAN-13 from the in-store range 20 to 29."""
    return bool(_IN_STORE.fullmatch(number)) and number[-1] == check_digit(number[:12])


def numbers_for(account_id: AccountId) -> Iterator[CardNumber]:
    """Yield the numbers an account may get, always in the same order: the first that is free becomes its card.

    Ten digits derived from the account: no counter that all shops would queue for, and the same card whoever opens the account.
    """
    attempt = 0
    while True:
        digest = blake2b(f"{account_id}:{attempt}".encode(), digest_size=8).digest()
        first_twelve = f"{_PREFIX}{int.from_bytes(digest, 'big') % 10**10:010d}"
        yield CardNumber(first_twelve + check_digit(first_twelve))
        attempt += 1


class Card(Aggregate):
    """A card number, so that it is given to one account only, and so that a sale that names just the card finds its account at once."""

    kind = "card"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.account_id: AccountId | None = None

    def take(self, account_id: AccountId, *, at: datetime) -> None:
        """Reserve the number for an account; a repeat changes nothing. Raises `CardTaken` if another account has it."""
        if self.account_id is None:
            self.record(CardNumberTaken(occurred_at=at, card_number=CardNumber(self.identity), account_id=account_id))
        elif self.account_id != account_id:
            raise CardTaken("this number is on somebody else's card")

    def apply(self, event: Event) -> None:
        if isinstance(event, CardNumberTaken):
            self.account_id = event.account_id
