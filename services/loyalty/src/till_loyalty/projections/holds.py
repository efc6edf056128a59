"""The points tills have put aside, and what became of them."""

from datetime import datetime
from typing import Any

from msgspec import to_builtins
from psycopg.types.json import Jsonb

from till_events.loyalty import PointsHeld, PointsHoldReleased, PointsRedeemed, PointsRestored
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

HOLDS = Table(
    "holds",
    {
        "account_id": "text NOT NULL",
        "hold_id": "text NOT NULL",
        "points": "bigint NOT NULL",
        "value_minor": "bigint NOT NULL",
        "currency": "text NOT NULL",
        "store_id": "text NOT NULL",
        "allocations": "jsonb NOT NULL",
        "held_at": "timestamptz NOT NULL",
        "expires_at": "timestamptz NOT NULL",
        "state": "text NOT NULL",
        "settled_at": "timestamptz",
        "order_id": "text",
        "purchase_id": "text",
        "restored": "bigint NOT NULL",
    },
    key=("account_id", "hold_id"),
    indexes=("(expires_at) WHERE state = 'held'",),
)


class Holds(Projection):
    """`state` is held, captured or released. One that is held and past `expires_at` holds nothing any more."""

    name = "holds"
    of = (PointsHeld, PointsRedeemed, PointsHoldReleased, PointsRestored)
    tables = (HOLDS,)

    def fold(self, batch: Batch, db: Db) -> None:
        names = list(HOLDS.columns)
        found = db.get(HOLDS, [(f.event.account_id, f.event.hold_id) for f in batch if type(f.event) is not PointsHeld])
        rows = {key: dict(zip(names, row, strict=True)) for key, row in found.items()}
        for fact in batch:
            event = fact.event
            key = (event.account_id, event.hold_id)
            match event:
                case PointsHeld():
                    rows[key] = _held(event)
                case PointsRedeemed():
                    rows[key] |= {
                        "state": "captured",
                        "settled_at": event.occurred_at,
                        "purchase_id": event.purchase_id,
                    }
                    rows[key] |= {"order_id": event.order_id or rows[key]["order_id"]}
                case PointsHoldReleased():
                    rows[key] |= {"state": "released", "settled_at": event.occurred_at}
                case PointsRestored():
                    rows[key] |= {"restored": rows[key]["restored"] + event.points}
        db.upsert(HOLDS, [(*row.values(),) for row in map(_storable, rows.values())])


def _held(event: PointsHeld) -> dict[str, Any]:
    return {
        "account_id": event.account_id,
        "hold_id": event.hold_id,
        "points": event.points,
        "value_minor": event.value_minor,
        "currency": event.currency,
        "store_id": event.store_id,
        "allocations": to_builtins(event.allocations),
        "held_at": event.occurred_at,
        "expires_at": event.expires_at,
        "state": "held",
        "settled_at": None,
        "order_id": event.order_id,
        "purchase_id": None,
        "restored": 0,
    }


def _storable(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"allocations": Jsonb(row["allocations"])}


async def active_holds(reads: Reads, account_id: str, at: datetime) -> list[dict[str, Any]]:
    """Return what tills hold of an account at a time."""
    return await reads.all(
        "SELECT * FROM holds.holds WHERE account_id = %s AND state = 'held' AND expires_at > %s ORDER BY held_at, hold_id",
        [account_id, at],
    )


async def accounts_with_overdue_holds(reads: Reads, at: datetime, *, after: str, limit: int) -> list[str]:
    """Return accounts with holds whose time is over and was not announced yet, in order of id."""
    rows = await reads.all(
        "SELECT DISTINCT account_id FROM holds.holds"
        " WHERE state = 'held' AND expires_at <= %s AND account_id > %s ORDER BY account_id LIMIT %s",
        [at, after, limit],
    )
    return [row["account_id"] for row in rows]
