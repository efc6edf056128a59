"""The lots of every account: what is left of each, from when and until when it can be spent, and the spending behind it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from till_events.loyalty import (
    PointsAccrued,
    PointsAdjusted,
    PointsExpired,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
    ReturnWithoutPoints,
)
from till_loyalty.domain.lots import NEVER
from till_loyalty.projections.movements import movements
from till_platform.arrays import array
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Row, Table

LOTS = Table(
    "lots",
    {
        "account_id": "text NOT NULL",
        "lot_id": "text NOT NULL",
        "points": "bigint NOT NULL",
        "remaining": "bigint NOT NULL",
        "earned_at": "timestamptz NOT NULL",
        "available_from": "timestamptz NOT NULL",
        "expires_at": "timestamptz NOT NULL",
        "store_id": "text",
        "tier": "text",
        "rules_version": "integer",
        "basis_minor": "bigint NOT NULL",
        "spend_minor": "bigint NOT NULL",
        "currency": "text",
    },
    key=("account_id", "lot_id"),
    indexes=("(expires_at) WHERE remaining > 0",),
)
OTHER_RETURNS = Table(
    "other_returns",
    {
        "account_id": "text NOT NULL",
        "return_id": "text NOT NULL",
        "returned_at": "timestamptz NOT NULL",
        "spend_minor": "bigint NOT NULL",
    },
    key=("account_id", "return_id"),
)
"""Returns of purchases that were not known then: they lower the spending of their own day."""

_CHANGE = """
UPDATE lots SET remaining = remaining + change.points, spend_minor = spend_minor - change.returned
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS change (account_id, lot_id, points, returned)
WHERE (lots.account_id, lots.lot_id) = (change.account_id, change.lot_id)
"""

Key = tuple[str, str]


class Lots(Projection):
    """`remaining` includes points that a till holds; those are in `holds`. `spend_minor` is less what went back."""

    name = "lots"
    of = (
        PointsAccrued,
        PointsReversed,
        ReturnWithoutPoints,
        PointsRedeemed,
        PointsRestored,
        PointsExpired,
        PointsAdjusted,
    )
    tables = (LOTS, OTHER_RETURNS)

    def fold(self, batch: Batch, db: Db) -> None:
        lots: dict[Key, Row] = {}
        changes: dict[Key, list[int]] = {}
        others: list[Row] = []
        known = db.get(LOTS, [(f.event.account_id, f.event.purchase_id or "") for f in batch.of(ReturnWithoutPoints)])
        for fact in batch:
            event = fact.event
            account_id = event.account_id
            match event:
                case PointsAccrued():
                    lots[account_id, event.lot_id] = _earned(event)
                    continue
                case PointsAdjusted() if event.points > 0:
                    lots[account_id, event.adjustment_id] = _given(event)
                    continue
                case PointsReversed():
                    _change(changes, (account_id, event.purchase_id), returned=event.spend_minor)
                case ReturnWithoutPoints():
                    key = (account_id, event.purchase_id or "")
                    if key in lots or key in known:
                        _change(changes, key, returned=event.spend_minor)
                    else:
                        others.append((account_id, event.return_id, event.occurred_at, event.spend_minor))
            for movement in movements(event):
                _change(changes, (account_id, movement.lot_id), points=movement.points)
        db.append(LOTS, lots.values())
        db.insert(OTHER_RETURNS, others)
        if changes:
            keys, amounts = zip(*sorted(changes.items()), strict=True)
            db.execute(_CHANGE, [array(column) for column in (*zip(*keys, strict=True), *zip(*amounts, strict=True))])


def _earned(event: PointsAccrued) -> Row:
    return (
        event.account_id,
        event.lot_id,
        event.points,
        event.points,
        event.occurred_at,
        event.available_from,
        event.expires_at,
        event.store_id,
        event.tier,
        event.rules_version,
        event.basis_minor,
        event.spend_minor,
        event.currency,
    )


def _given(event: PointsAdjusted) -> Row:
    available_from, expires_at = event.available_from or event.occurred_at, event.expires_at or NEVER
    dates = (event.occurred_at, available_from, expires_at)
    return (event.account_id, event.adjustment_id, event.points, event.points, *dates, None, None, None, 0, 0, None)


def _change(changes: dict[Key, list[int]], key: Key, *, points: int = 0, returned: int = 0) -> None:
    change = changes.setdefault(key, [0, 0])
    change[0] += points
    change[1] += returned


async def lots_alive(reads: Reads, account_id: str, at: datetime) -> list[dict[str, Any]]:
    """Return the lots of an account with points that are not expired at a time, in the order they are spent."""
    return await reads.all(
        "SELECT * FROM lots.lots WHERE account_id = %s AND remaining > 0 AND expires_at > %s"
        " ORDER BY expires_at, earned_at, lot_id",
        [account_id, at],
    )


async def accounts_with_overdue_lots(reads: Reads, at: datetime, *, after: str, limit: int) -> list[str]:
    """Return accounts with points that ran out of time and were not announced yet, in order of id."""
    rows = await reads.all(
        "SELECT DISTINCT account_id FROM lots.lots"
        " WHERE remaining > 0 AND expires_at <= %s AND account_id > %s ORDER BY account_id LIMIT %s",
        [at, after, limit],
    )
    return [row["account_id"] for row in rows]


async def accounts_off_their_tier(
    reads: Reads, *, since: datetime, until: datetime, tiers: Sequence[str], thresholds: Sequence[int]
) -> list[str]:
    """Return accounts that are on another level than their spending in the window reaches."""
    rows = await reads.all(
        _OFF_THEIR_TIER,
        {"since": since, "until": until, "tiers": list(tiers), "thresholds": list(thresholds)},
    )
    return [row["account_id"] for row in rows]


_OFF_THEIR_TIER = """
WITH spending AS (
    SELECT account_id, sum(spend_minor) AS spend_minor FROM (
        SELECT account_id, spend_minor FROM lots.lots WHERE earned_at >= %(since)s AND earned_at < %(until)s
        UNION ALL
        SELECT account_id, -spend_minor FROM lots.other_returns WHERE returned_at >= %(since)s AND returned_at < %(until)s
    ) AS amounts GROUP BY account_id
)
SELECT account_id FROM accounts.accounts LEFT JOIN spending USING (account_id)
WHERE tier <> (%(tiers)s::text[])[width_bucket(greatest(coalesce(spend_minor, 0), 0)::bigint, %(thresholds)s::bigint[])]
ORDER BY account_id
"""
