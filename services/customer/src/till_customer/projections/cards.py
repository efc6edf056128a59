"""Which cards open which customer's account, as the loyalty programme says."""

from typing import Any

from till_events.loyalty import LoyaltyCardBlocked, LoyaltyCardIssued
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Row, Table

CARDS = Table(
    "cards",
    {
        "card_number": "text",
        "customer_id": "text",
        "account_id": "text",
        "issued_at": "timestamptz",
        "blocked_at": "timestamptz",
        "blocked_because": "text",
    },
    key=("card_number", "customer_id"),
    indexes=("(customer_id)",),
)


class Cards(Projection):
    """The cards of the programme, the blocked ones too: an old receipt still names them."""

    name = "cards"
    of = (LoyaltyCardIssued, LoyaltyCardBlocked)
    tables = (CARDS,)

    def fold(self, batch: Batch, db: Db) -> None:
        rows: dict[Row, Row] = {}
        blocked = {(fact.event.card_number, fact.event.customer_id) for fact in batch.of(LoyaltyCardBlocked)}
        rows.update(db.get(CARDS, blocked))
        for fact in batch:
            match fact.event:
                case LoyaltyCardIssued() as issued:
                    key = (issued.card_number, issued.customer_id)
                    rows[key] = (*key, issued.account_id, issued.occurred_at, None, None)
                case LoyaltyCardBlocked() as blocked_card:
                    key = (blocked_card.card_number, blocked_card.customer_id)
                    if (row := rows.get(key)) is not None:
                        rows[key] = (*row[:4], blocked_card.occurred_at, blocked_card.reason)
        db.upsert(CARDS, rows.values())


async def cards_of(reads: Reads, customer_id: str) -> list[dict[str, Any]]:
    """Return the cards of a customer, the newest first."""
    return await reads.all(
        "SELECT * FROM cards.cards WHERE customer_id = %s ORDER BY issued_at DESC, card_number", [customer_id]
    )
