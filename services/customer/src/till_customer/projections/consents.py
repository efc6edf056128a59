"""What customers agreed to, every word of it."""

from typing import Any

from till_events.customer import ConsentGranted, ConsentWithdrawn
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

WORDS = Table(
    "words",
    {
        "customer_id": "text",
        "event_id": "uuid",
        "purpose": "text",
        "channel": "text",
        "address": "text",
        "granted": "boolean",
        "occurred_at": "timestamptz",
        "recorded_at": "timestamptz",
        "sequence": "integer",
        "collected_from": "text",
        "wording": "text",
        "opt_in": "text",
        "store_id": "text",
        "actor": "text",
    },
    key=("customer_id", "event_id"),
)


class Consents(Projection):
    """The history of every consent. How each stands follows from it: the latest word counts, and of two at one instant the no."""

    name = "consents"
    of = (ConsentGranted, ConsentWithdrawn)
    tables = (WORDS,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.append(
            WORDS,
            (
                (
                    fact.event.customer_id,
                    fact.id,
                    fact.event.purpose,
                    fact.event.channel,
                    fact.event.address,
                    isinstance(fact.event, ConsentGranted),
                    fact.event.occurred_at,
                    fact.recorded_at,
                    fact.sequence,
                    fact.event.collected_from,
                    getattr(fact.event, "wording", None),
                    getattr(fact.event, "opt_in", None),
                    fact.event.store_id,
                    fact.actor,
                )
                for fact in batch
            ),
        )


async def consents_of(reads: Reads, customer_id: str) -> list[dict[str, Any]]:
    """Return how each consent of a customer stands, by purpose, channel and address."""
    return await reads.all(
        "SELECT DISTINCT ON (purpose, channel, address) * FROM consents.words WHERE customer_id = %s"
        " ORDER BY purpose, channel, address, occurred_at DESC, granted, sequence DESC",
        [customer_id],
    )


async def words_of(reads: Reads, customer_id: str) -> list[dict[str, Any]]:
    """Return all a customer ever said about consent, the latest first."""
    return await reads.all(
        "SELECT * FROM consents.words WHERE customer_id = %s ORDER BY occurred_at DESC, granted, sequence DESC",
        [customer_id],
    )
