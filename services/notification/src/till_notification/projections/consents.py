"""What customers agreed to, by purpose, channel and address, as it stands."""

from datetime import datetime
from typing import Any

from till_events.customer import ConsentGranted, ConsentWithdrawn
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.table import Row, Table

CONSENTS = Table(
    "consents",
    {
        "customer_id": "text",
        "purpose": "text",
        "channel": "text",
        "address": "text",
        "granted": "boolean NOT NULL",
        "said_at": "timestamptz NOT NULL",
        "event_id": "text NOT NULL",
    },
    key=("customer_id", "purpose", "channel", "address"),
)
_SAID_AT = list(CONSENTS.columns).index("said_at")


class Consents(Projection):
    """The state of each consent and the event that made it so.

    The word with the latest `occurred_at` stands, whatever order words arrive in: a paper form typed in today does not undo what the
    customer said on the web yesterday. Of two said at the same moment the one recorded later stands.
    """

    name = "consents"
    of = (ConsentGranted, ConsentWithdrawn)
    tables = (CONSENTS,)

    def fold(self, batch: Batch, db: Db) -> None:
        said = [(CONSENTS.key_of(row), row) for row in map(_row, batch)]
        standing: dict[Row, Row] = db.get(CONSENTS, (key for key, _ in said))
        changed: dict[Row, Row] = {}
        for key, row in said:
            before = standing.get(key)
            if before is None or _said_at(row) >= _said_at(before):
                standing[key] = changed[key] = row
        db.upsert(CONSENTS, changed.values())


def _row(fact: Any) -> Row:
    event = fact.event
    granted = isinstance(event, ConsentGranted)
    return (
        event.customer_id,
        event.purpose,
        event.channel,
        event.address,
        granted,
        event.occurred_at,
        fact.id,
    )


def _said_at(row: Row) -> datetime:
    said_at: datetime = row[_SAID_AT]
    return said_at
