"""What answers about points hold."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from till_loyalty.domain.account import Account
from till_loyalty.domain.redeeming import hold_of


class Reply(BaseModel):
    """What is answered. Read models and events know more than is shown: the rest is left out."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


class AllocationReply(Reply):
    lot_id: str
    points: int


class HoldReply(Reply):
    """Points put aside, and what can be spent besides."""

    account_id: str
    hold_id: str
    state: Literal["held", "captured", "released"]
    points: int
    allocations: list[AllocationReply]
    value_minor: int
    currency: str
    store_id: str
    expires_at: datetime
    order_id: str | None
    purchase_id: str | None
    restored: int
    balance: int

    @classmethod
    def of(cls, account: Account, hold_id: str, now: datetime) -> "HoldReply":
        hold = hold_of(account, hold_id)
        return cls(
            account_id=account.identity,
            hold_id=hold.id,
            state=hold.state,
            points=hold.points,
            allocations=[AllocationReply.model_validate(allocation) for allocation in hold.allocations],
            value_minor=hold.value_minor,
            currency=hold.currency,
            store_id=hold.store_id,
            expires_at=hold.expires_at,
            order_id=hold.order_id,
            purchase_id=hold.purchase_id,
            restored=hold.given_back,
            balance=account.balance_at(now),
        )


class ChangeReply(Reply):
    """When how many points change their state by time alone."""

    at: datetime
    points: int


class CardHoldReply(Reply):
    hold_id: str
    points: int
    value_minor: int
    currency: str
    store_id: str
    expires_at: datetime


class CardReply(Reply):
    """The answer to the till's question. `balance` can be spent now; `version` counts what happened to the account."""

    card_number: str
    status: Literal["active", "blocked"]
    account_id: str
    customer_id: str
    tier: str
    balance: int
    pending: int
    held: int
    next_expiry: ChangeReply | None
    next_available: ChangeReply | None
    holds: list[CardHoldReply]
    version: int
    valid_until: datetime


class IssuedCardReply(Reply):
    card_number: str
    issued_at: datetime
    blocked_at: datetime | None = None
    block_reason: str | None = None


class AccountReply(Reply):
    """An account. `points` is the sum of its ledger: spendable, pending and held ones, and those whose expiry is not announced yet."""

    account_id: str
    customer_id: str
    programme_id: str
    opened_at: datetime
    tier: str
    points: int
    sequence: int
    cards: list[IssuedCardReply]


class LotReply(Reply):
    """Points that came together and die together. `remaining` includes what tills hold."""

    lot_id: str
    points: int
    remaining: int
    earned_at: datetime
    available_from: datetime
    expires_at: datetime
    store_id: str | None
    tier: str | None
    rules_version: int | None
    basis_minor: int
    spend_minor: int
    currency: str | None


class BalanceReply(Reply):
    """`points` is the sum of the ledger up to `at`; `balance` of them can be spent then."""

    account_id: str
    at: datetime
    balance: int
    pending: int
    held: int
    expired_unannounced: int
    points: int


class EntryReply(Reply):
    """One line of the ledger. `balance` is the sum of all lines up to this one."""

    sequence: int
    occurred_at: datetime
    kind: str
    points: int
    balance: int
    reference: str | None
    purchase_id: str | None
    actor: str | None
    movements: list[AllocationReply] | None
    details: dict[str, Any] | None
    store_id: str | None
    tier: str | None
    rules_version: int | None
    basis_minor: int | None
    currency: str | None
    available_from: datetime | None
    expires_at: datetime | None


class AdjustmentReply(Reply):
    account_id: str
    adjustment_id: str
    points: int
    balance: int
    pending: int


class AccountCardsReply(Reply):
    """The cards of an account; `blocked_at` is set for those that no longer open it."""

    account_id: str
    customer_id: str
    cards: list["CardState"]

    @classmethod
    def of(cls, account: Account) -> "AccountCardsReply":
        cards = [CardState(card_number=number, blocked_at=at) for number, at in account.cards.items()]
        return cls(account_id=account.identity, customer_id=account.customer_id, cards=cards)


class CardState(Reply):
    card_number: str
    blocked_at: datetime | None
