"""The ledger of every account: one entry for each thing that happened to it, and why."""

from datetime import datetime
from typing import Any

from msgspec import to_builtins
from psycopg.types.json import Jsonb

from till_events.base import Event
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
from till_loyalty.projections.accounts import EVENTS_OF_AN_ACCOUNT
from till_loyalty.projections.movements import movements
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

ENTRIES = Table(
    "entries",
    {
        "account_id": "text NOT NULL",
        "sequence": "integer NOT NULL",
        "occurred_at": "timestamptz NOT NULL",
        "kind": "text NOT NULL",
        "points": "bigint NOT NULL",
        "reference": "text",
        "purchase_id": "text",
        "actor": "text",
        "movements": "jsonb",
        "details": "jsonb",
    },
    key=("account_id", "sequence"),
)

# kind of entry, the field that names its cause, and the fields that explain it
_ENTRIES: dict[type[Event], tuple[str, str | None, tuple[str, ...]]] = {
    LoyaltyAccountOpened: ("opened", None, ("tier",)),
    LoyaltyCardIssued: ("card-issued", "card_number", ()),
    LoyaltyCardBlocked: ("card-blocked", "card_number", ("reason",)),
    PointsAccrued: ("accrued", "lot_id", ()),
    PointsReversed: ("reversed", "return_id", ("shortfall", "policy", "spend_minor")),
    ReturnWithoutPoints: ("returned-without-points", "return_id", ("spend_minor",)),
    PointsHeld: ("held", "hold_id", ("value_minor", "currency", "store_id", "order_id")),
    PointsRedeemed: ("redeemed", "hold_id", ("value_minor", "currency", "store_id", "order_id")),
    PointsHoldReleased: ("hold-released", "hold_id", ("reason",)),
    PointsRestored: ("restored", "hold_id", ("expired", "return_id")),
    PointsExpired: ("expired", "lot_id", ()),
    PointsAdjusted: ("adjusted", "adjustment_id", ("reason", "comment")),
    TierChanged: ("tier-changed", None, ("from_tier", "to_tier", "spend_minor", "currency", "rules_version")),
}


class Ledgers(Projection):
    """`points` is what an entry adds or takes; summed in order of `sequence` they are the balance, lots and holds apart.

    What explains an accrual (basis, level, rules, dates) is kept once, with its lot.
    """

    name = "ledgers"
    of = EVENTS_OF_AN_ACCOUNT
    tables = (ENTRIES,)

    def fold(self, batch: Batch, db: Db) -> None:
        rows = []
        for fact in batch:
            event = fact.event
            kind, reference, fields = _ENTRIES[type(event)]
            if type(event) is PointsAccrued:
                points, parts = event.points, None
            else:
                moves = movements(event)
                points, parts = sum(move.points for move in moves), moves or getattr(event, "allocations", ())
            details = {name: value for name in fields if (value := getattr(event, name)) is not None}
            rows.append(
                (
                    event.account_id,
                    fact.sequence,
                    event.occurred_at,
                    kind,
                    points,
                    getattr(event, reference) if reference else None,
                    getattr(event, "purchase_id", None),
                    fact.actor,
                    Jsonb(to_builtins(parts)) if parts else None,
                    Jsonb(to_builtins(details)) if details else None,
                )
            )
        db.append(ENTRIES, rows)


async def entries(reads: Reads, account_id: str, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries of an account, newest first, each with the balance it left behind and the lot it made."""
    return await reads.all(_PAGE, {"account_id": account_id, "before": before or 2**31 - 1, "limit": limit})


async def balance_at(reads: Reads, account_id: str, at: datetime) -> dict[str, Any]:
    """Return the balance of an account at any time, past or to come, by what happened up to then, whenever that was learned."""
    row = await reads.one(_BALANCE_AT, {"account_id": account_id, "at": at})
    assert row is not None
    return row


_PAGE = """
SELECT entry.*, lot.store_id, lot.tier, lot.rules_version, lot.basis_minor, lot.currency, lot.available_from, lot.expires_at
FROM (
    SELECT *, (sum(points) OVER (ORDER BY sequence))::bigint AS balance FROM ledgers.entries WHERE account_id = %(account_id)s
) AS entry
LEFT JOIN lots.lots AS lot
  ON entry.kind IN ('accrued', 'adjusted') AND (lot.account_id, lot.lot_id) = (entry.account_id, entry.reference)
WHERE entry.sequence < %(before)s ORDER BY entry.sequence DESC LIMIT %(limit)s
"""

_BALANCE_AT = """
WITH entry AS (
    SELECT * FROM ledgers.entries WHERE account_id = %(account_id)s AND occurred_at <= %(at)s
), moved AS (
    SELECT reference AS lot_id, points FROM entry WHERE kind = 'accrued'
    UNION ALL
    SELECT part->>'lot_id', (part->>'points')::bigint FROM entry, jsonb_array_elements(movements) AS part
    WHERE kind NOT IN ('accrued', 'held')
), lot AS (
    SELECT lots.*, moved.points AS left_then
    FROM (SELECT lot_id, sum(points) AS points FROM moved GROUP BY lot_id) AS moved
    JOIN lots.lots ON lots.account_id = %(account_id)s AND lots.lot_id = moved.lot_id
), held AS (
    SELECT part->>'lot_id' AS lot_id, sum((part->>'points')::bigint) AS points
    FROM holds.holds, jsonb_array_elements(allocations) AS part
    WHERE account_id = %(account_id)s AND held_at <= %(at)s AND expires_at > %(at)s
      AND (settled_at IS NULL OR settled_at > %(at)s)
    GROUP BY 1
)
SELECT
    coalesce(sum(left_then - coalesce(held.points, 0)) FILTER (WHERE available_from <= %(at)s AND expires_at > %(at)s), 0)::bigint
        AS balance,
    coalesce(sum(left_then) FILTER (WHERE available_from > %(at)s), 0)::bigint AS pending,
    coalesce(sum(held.points), 0)::bigint AS held,
    coalesce(sum(left_then) FILTER (WHERE expires_at <= %(at)s), 0)::bigint AS expired_unannounced,
    coalesce(sum(left_then), 0)::bigint AS points
FROM lot LEFT JOIN held USING (lot_id)
"""
