"""The till's question, answered from the read models: whose card is this, and what can be spent with it now?"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

FOR_EVER = timedelta(days=365)


class Answer:
    """What a till is told about a card, as the bytes it is told.

    It is true of the account as of its `sequence`-th event, until `valid_until`: the next time the balance changes by time alone.
    """

    __slots__ = ("body", "card_number", "sequence", "valid_until")

    def __init__(self, row: dict[str, Any], at: datetime) -> None:
        self.card_number: str = row["card_number"]
        self.sequence: int = row["sequence"]
        changes = (row["next_available"], row["next_expiry"], row["next_hold_end"])
        self.valid_until: datetime = min(change for change in (*changes, at + FOR_EVER) if change)
        self.body = msgspec.json.encode(
            {
                "card_number": row["card_number"],
                "status": "blocked" if row["blocked_at"] else "active",
                "account_id": row["account_id"],
                "customer_id": row["customer_id"],
                "tier": row["tier"],
                "balance": row["spendable"] - row["held"],
                "pending": row["pending"],
                "held": row["held"],
                "next_expiry": _change(row["expiring_at"], row["expiring"]),
                "next_available": _change(row["next_available"], row["becoming_available"]),
                "holds": row["holds"] or [],
                "version": row["sequence"],
                "valid_until": self.valid_until,
            }
        )


def _change(at: datetime | None, points: int | None) -> dict[str, Any] | None:
    return {"at": at, "points": points} if at else None


def answer_for(connection: Connection[Any], card_number: str, at: datetime) -> Answer | None:
    """Return the answer for one card, or nothing if nobody was given that number."""
    row = _rows(connection, "card.card_number = %(card_number)s", {"card_number": card_number, "at": at})
    return Answer(row[0], at) if row else None


def answers_for(connection: Connection[Any], account_ids: Sequence[str], at: datetime) -> list[Answer]:
    """Return the answers for all cards of these accounts."""
    rows = _rows(connection, "card.account_id = ANY(%(account_ids)s)", {"account_ids": list(account_ids), "at": at})
    return [Answer(row, at) for row in rows]


def _rows(connection: Connection[Any], which: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(_ANSWER.format(which=which), parameters).fetchall()


_ANSWER = """
SELECT card.card_number, card.blocked_at, account.account_id, account.customer_id, account.tier, account.sequence,
       lot.*, expiry.*, arrival.*, hold.*
FROM accounts.cards AS card
JOIN accounts.accounts AS account USING (account_id)
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(remaining) FILTER (WHERE available_from <= %(at)s), 0)::bigint AS spendable,
        coalesce(sum(remaining) FILTER (WHERE available_from > %(at)s), 0)::bigint AS pending,
        min(available_from) FILTER (WHERE available_from > %(at)s) AS next_available,
        min(expires_at) AS next_expiry,
        min(expires_at) FILTER (WHERE available_from <= %(at)s) AS expiring_at
    FROM lots.lots WHERE account_id = account.account_id AND remaining > 0 AND expires_at > %(at)s
) AS lot
CROSS JOIN LATERAL (
    SELECT sum(remaining)::bigint AS expiring FROM lots.lots
    WHERE account_id = account.account_id AND expires_at = lot.expiring_at AND available_from <= %(at)s
) AS expiry
CROSS JOIN LATERAL (
    SELECT sum(remaining)::bigint AS becoming_available FROM lots.lots
    WHERE account_id = account.account_id AND available_from = lot.next_available
) AS arrival
CROSS JOIN LATERAL (
    SELECT
        min(held.expires_at) AS next_hold_end,
        coalesce(sum(held.spendable), 0)::bigint AS held,
        jsonb_agg(jsonb_build_object(
            'hold_id', held.hold_id, 'points', held.points, 'value_minor', held.value_minor, 'currency', held.currency,
            'store_id', held.store_id, 'expires_at', held.expires_at
        ) ORDER BY held.held_at, held.hold_id) AS holds
    FROM (
        SELECT *, (
            SELECT sum((part->>'points')::bigint) FROM jsonb_array_elements(allocations) AS part
            JOIN lots.lots ON lots.account_id = account.account_id AND lots.lot_id = part->>'lot_id'
            WHERE lots.expires_at > %(at)s
        ) AS spendable
        FROM holds.holds WHERE account_id = account.account_id AND state = 'held' AND expires_at > %(at)s
    ) AS held
) AS hold
WHERE {which}
"""
