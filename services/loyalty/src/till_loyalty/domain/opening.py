"""How a customer comes to an account and a card."""

from datetime import datetime

from till_events.ids import CardNumber, CustomerId
from till_events.loyalty import LoyaltyAccountOpened, LoyaltyCardBlocked, LoyaltyCardIssued
from till_loyalty.domain.account import Account
from till_loyalty.domain.errors import UnknownCard
from till_loyalty.domain.programme import Programme


def open_account(account: Account, *, customer_id: CustomerId, programme: Programme, at: datetime) -> None:
    """Open the customer's account on the lowest level. A second opening changes nothing."""
    if account.exists:
        return
    account.record(
        LoyaltyAccountOpened(
            occurred_at=at,
            account_id=account.account_id,
            customer_id=customer_id,
            programme_id=programme.identity,
            tier=programme.rules_at(at).lowest_tier.tier,
        )
    )


def issue_card(account: Account, number: CardNumber, *, at: datetime) -> None:
    """Give the customer a card. The number must be free: `cards.Card` keeps it from being given twice."""
    if number not in account.cards:
        account.record(
            LoyaltyCardIssued(
                occurred_at=at, account_id=account.account_id, customer_id=account.customer_id, card_number=number
            )
        )


def block_card(account: Account, number: CardNumber, *, reason: str, at: datetime) -> None:
    """Stop a lost or stolen card from opening the account. The points stay. Raises `UnknownCard`; a repeat changes nothing."""
    if number not in account.cards:
        raise UnknownCard("this account has no such card")
    if account.cards[number] is None:
        account.record(
            LoyaltyCardBlocked(
                occurred_at=at,
                account_id=account.account_id,
                customer_id=account.customer_id,
                card_number=number,
                reason=reason,
            )
        )
