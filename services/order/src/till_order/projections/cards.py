"""Whose card it is that a till has read."""

from collections.abc import Sequence
from datetime import datetime

from till_events.loyalty import LoyaltyCardBlocked, LoyaltyCardIssued
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

CARDS = Table(
    "cards",
    {
        "card_number": "text NOT NULL",
        "customer_id": "text NOT NULL",
        "issued_at": "timestamptz",
        "blocked_at": "timestamptz",
    },
    key=("card_number", "customer_id"),
)


class Cards(Projection):
    """Cards and their owners. A number given to a second customer is a second row, so that none of the two depends on the other."""

    name = "cards"
    of = (LoyaltyCardIssued, LoyaltyCardBlocked)
    tables = (CARDS,)

    def fold(self, batch: Batch, db: Db) -> None:
        rows = db.get(CARDS, {(fact.event.card_number, fact.event.customer_id) for fact in batch})
        for fact in batch:
            event = fact.event
            key = (event.card_number, event.customer_id)
            _, _, issued_at, blocked_at = rows.get(key, (*key, None, None))
            if isinstance(event, LoyaltyCardIssued):
                issued_at, blocked_at = event.occurred_at, None
            else:
                blocked_at = event.occurred_at
            rows[key] = (*key, issued_at, blocked_at)
        db.upsert(CARDS, rows.values())


async def card_owners(reads: Reads, shown: Sequence[tuple[str, datetime]]) -> list[str | None]:
    """Return whose each card was when it was shown; None if nobody's, blocked by then, or claimed by two."""
    rows = await reads.all(
        """
        SELECT shown.place, min(card.customer_id) AS customer_id
        FROM unnest(%s::text[], %s::timestamptz[]) WITH ORDINALITY AS shown (card_number, at, place)
        JOIN cards.cards AS card ON card.card_number = shown.card_number
            AND (card.blocked_at IS NULL OR card.blocked_at > shown.at)
        GROUP BY shown.place HAVING count(*) = 1
        """,
        [[number for number, _ in shown], [at for _, at in shown]],
    )
    owners = {row["place"]: row["customer_id"] for row in rows}
    return [owners.get(place) for place in range(1, len(shown) + 1)]
