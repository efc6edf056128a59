"""Everything that ever happened to a customer, from all the chain's services, in one line of time."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from till_customer.projections.timeline_entries import KINDS, entry_of
from till_events.analytics import RfmScoreChanged
from till_platform.batch import Batch, Fact
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Row, Table

# The key is the order in which a timeline is read, so that there is one index and rows are only ever added.
ENTRIES = Table(
    "entries",
    {
        "owner": "text",
        "occurred_at": "timestamptz",
        "event_id": "uuid",
        "kind": "text",
        "reference": "text",
        "store_id": "text",
        "amount_minor": "bigint",
        "currency": "text",
        "points": "bigint",
        "details": "text",
    },
    key=("owner", "occurred_at", "event_id"),
)


class Timelines(Projection):
    """One entry per event, kept under the customer it names. A receipt that names only a card is kept under the card.

    Whose a card is may be heard later than the receipt, so cards are resolved when a timeline is read.
    """

    name = "timelines"
    of = tuple(KINDS)
    tables = (ENTRIES,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.append(ENTRIES, _rows(batch))


async def timeline_of(
    reads: Reads,
    owners: Sequence[str],
    *,
    kinds: Collection[str] | None,
    stores: Sequence[str] | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return entries of a customer and their cards, the latest first; of one instant, those recorded last first.

    With `stores`, entries of other shops are left out; those of no shop stay.
    """
    at, event_id = before or (None, None)
    rows = await reads.all(
        "SELECT * FROM timelines.entries WHERE owner = ANY(%(owners)s)"
        " AND (%(at)s::timestamptz IS NULL OR (occurred_at, event_id) < (%(at)s, %(event_id)s::uuid))"
        " AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))"
        " AND (%(stores)s::text[] IS NULL OR store_id IS NULL OR store_id = ANY(%(stores)s))"
        " ORDER BY occurred_at DESC, event_id DESC LIMIT %(limit)s",
        {
            "owners": list(owners),
            "at": at,
            "event_id": event_id,
            "kinds": sorted(kinds) if kinds is not None else None,
            "stores": stores,
            "limit": limit,
        },
    )
    return [{**row, "details": msgspec.json.decode(row["details"]) if row["details"] else {}} for row in rows]


async def loyalty_of(reads: Reads, customer_id: str) -> dict[str, Any]:
    """Return the tier a customer is in and their points by what became of them, as the programme's events add up."""
    sums = await reads.all(
        "SELECT kind, sum(points)::bigint AS points FROM timelines.entries WHERE owner = %s AND points IS NOT NULL GROUP BY kind",
        [customer_id],
    )
    tier = await _latest(reads, customer_id, ("tier.changed", "account.opened"))
    points = {row["kind"].removeprefix("points."): row["points"] for row in sums}
    return {"tier": tier.get("to") or tier.get("tier"), "points": points}


async def rfm_group_of(reads: Reads, customer_id: str) -> str | None:
    """Return the group in which the chain's analysts see a customer."""
    group: str | None = (await _latest(reads, customer_id, ("rfm.changed",))).get("to")
    return group


async def _latest(reads: Reads, customer_id: str, kinds: Sequence[str]) -> dict[str, Any]:
    found = await timeline_of(reads, [customer_id], kinds=kinds, stores=None, before=None, limit=1)
    details: dict[str, Any] = found[0]["details"] if found else {}
    return details


def _rows(batch: Batch) -> Iterator[Row]:
    for fact in batch:
        if (owner := _owner(fact)) is None:
            continue
        entry = entry_of(fact.event)
        details = msgspec.json.encode(entry.details).decode() if entry.details else None
        yield (
            owner,
            fact.event.occurred_at,
            fact.id,
            entry.kind,
            entry.reference,
            entry.store_id,
            entry.amount_minor,
            entry.currency,
            entry.points,
            details,
        )


def _owner(fact: Fact[Any]) -> str | None:
    event = fact.event
    if isinstance(event, RfmScoreChanged) and event.group == event.previous_group:
        return None
    if event.customer_id is not None:
        owner: str = event.customer_id
        return owner
    card = getattr(event, "card_number", None)
    return card_owner(card) if card else None


def card_owner(card_number: str) -> str:
    """Return under what the receipts of a card that name no customer are kept."""
    return f"card:{card_number}"
