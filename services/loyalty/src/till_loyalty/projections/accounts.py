"""Who has an account, on which level, with how many points in all, and which cards open it."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from till_events.loyalty import (
    LoyaltyAccountOpened,
    LoyaltyCardBlocked,
    LoyaltyCardIssued,
    PointsAccrued,
    PointsAdjusted,
    PointsExpired,
    PointsHeld,
    PointsHoldReleased,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
    ReturnWithoutPoints,
    TierChanged,
)
from till_loyalty.projections.movements import moved
from till_platform.arrays import array
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

EVENTS_OF_AN_ACCOUNT = (
    LoyaltyAccountOpened,
    LoyaltyCardIssued,
    LoyaltyCardBlocked,
    PointsAccrued,
    PointsReversed,
    ReturnWithoutPoints,
    PointsHeld,
    PointsRedeemed,
    PointsHoldReleased,
    PointsRestored,
    PointsExpired,
    PointsAdjusted,
    TierChanged,
)

ACCOUNTS = Table(
    "accounts",
    {
        "account_id": "text NOT NULL",
        "customer_id": "text NOT NULL",
        "programme_id": "text NOT NULL",
        "opened_at": "timestamptz NOT NULL",
        "tier": "text NOT NULL",
        "points": "bigint NOT NULL",
        "sequence": "integer NOT NULL",
    },
    key=("account_id",),
    indexes=("(customer_id)",),
)
CARDS = Table(
    "cards",
    {
        "card_number": "text NOT NULL",
        "account_id": "text NOT NULL",
        "issued_at": "timestamptz NOT NULL",
        "blocked_at": "timestamptz",
        "block_reason": "text",
    },
    key=("card_number",),
    indexes=("(account_id)",),
)

# One statement for a batch: whatever happened to an account moves its sequence on, some of it moves points, little of it the level.
_MOVE_ON = """
UPDATE accounts SET sequence = now.sequence, points = accounts.points + now.points, tier = coalesce(now.tier, accounts.tier)
FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::text[]) AS now (account_id, sequence, points, tier)
WHERE accounts.account_id = now.account_id
"""


class Accounts(Projection):
    """`points` is the sum of the ledger: what was not spent, taken back or announced as expired. `sequence` counts an account's events."""

    name = "accounts"
    of = EVENTS_OF_AN_ACCOUNT
    tables = (ACCOUNTS, CARDS)

    def fold(self, batch: Batch, db: Db) -> None:
        opened: list[tuple[Any, ...]] = []
        cards: dict[str, tuple[Any, ...]] = {}
        blocked: list[LoyaltyCardBlocked] = []
        now: dict[str, list[Any]] = {}
        for fact in batch:
            event = fact.event
            state = now.get(event.account_id)
            if state is None:
                state = now[event.account_id] = [0, 0, None]
            state[0] = fact.sequence
            state[1] += moved(event)
            match event:
                case TierChanged():
                    state[2] = event.to_tier
                case LoyaltyAccountOpened():
                    opened.append(
                        (event.account_id, event.customer_id, event.programme_id, event.occurred_at, event.tier, 0, 0)
                    )
                case LoyaltyCardIssued():
                    cards[event.card_number] = (event.card_number, event.account_id, event.occurred_at, None, None)
                case LoyaltyCardBlocked():
                    blocked.append(event)
        db.insert(ACCOUNTS, opened)
        db.execute(_MOVE_ON, [array(column) for column in (list(now), *zip(*now.values(), strict=True))])
        db.insert(CARDS, cards.values())
        self._block(blocked, db)

    def _block(self, blocked: list[LoyaltyCardBlocked], db: Db) -> None:
        found = db.get(CARDS, [(event.card_number,) for event in blocked])
        db.upsert(
            CARDS,
            [(*found[(event.card_number,)][:3], event.occurred_at, event.reason) for event in blocked],
        )


async def account_by_id(reads: Reads, account_id: str) -> dict[str, Any] | None:
    """Return the account with its cards."""
    return await reads.one(f"{_ACCOUNT} WHERE account_id = %s", [account_id])


async def accounts_of_customer(reads: Reads, customer_id: str) -> list[dict[str, Any]]:
    """Return the customer's accounts, one for each programme."""
    return await reads.all(f"{_ACCOUNT} WHERE customer_id = %s ORDER BY programme_id", [customer_id])


_ACCOUNT = """
SELECT a.*, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'card_number', c.card_number, 'issued_at', c.issued_at, 'blocked_at', c.blocked_at, 'block_reason', c.block_reason
    ) ORDER BY c.issued_at, c.card_number), '[]')
    FROM accounts.cards c WHERE c.account_id = a.account_id
) AS cards
FROM accounts.accounts a
"""


def cards_of(connection: Connection[Any], account_ids: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return all cards of these accounts: number, account, and the account's sequence."""
    return connection.execute(
        "SELECT card_number, account_id, sequence FROM accounts.cards JOIN accounts.accounts USING (account_id)"
        " WHERE account_id = ANY(%s)",
        [list(account_ids)],
    ).fetchall()
