"""How customers can be reached: the little of a customer's profile that a message needs."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from till_events.customer import CustomerProfileChanged, CustomerRegistered
from till_notification.domain.recipient import Recipient
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

CONTACTS = Table(
    "contacts",
    {
        "customer_id": "text",
        "name": "text NOT NULL",
        "phones": "jsonb NOT NULL",
        "emails": "jsonb NOT NULL",
        "locale": "text NOT NULL",
        "zone": "text NOT NULL",
    },
    key=("customer_id",),
)


class Contacts(Projection):
    """Names, addresses, language and zone of every customer, as last told."""

    name = "contacts"
    of = (CustomerRegistered, CustomerProfileChanged)
    tables = (CONTACTS,)

    def fold(self, batch: Batch, db: Db) -> None:
        db.upsert(
            CONTACTS,
            (
                (
                    event.customer_id,
                    event.name,
                    Jsonb(list(event.phones)),
                    Jsonb(list(event.emails)),
                    event.locale,
                    event.zone,
                )
                for event in (fact.event for fact in batch)
            ),
        )


async def recipient(reads: Reads, customer_id: str) -> Recipient | None:
    """Return a customer as a message sees one, with the consents that stand; None for somebody not known here yet."""
    row = await reads.one(
        """
        SELECT name, phones, emails, locale, zone,
               (SELECT coalesce(jsonb_agg(jsonb_build_array(purpose, channel, address, event_id)), '[]')
                FROM consents.consents WHERE consents.customer_id = contacts.customer_id AND granted) AS consents
        FROM contacts.contacts WHERE customer_id = %s
        """,
        [customer_id],
    )
    return _recipient(customer_id, row) if row else None


def _recipient(customer_id: str, row: Mapping[str, Any]) -> Recipient:
    return Recipient(
        customer_id=customer_id,
        name=row["name"],
        phones=row["phones"],
        emails=row["emails"],
        locale=row["locale"],
        zone_name=row["zone"],
        consents={(purpose, channel, address): event_id for purpose, channel, address, event_id in row["consents"]},
    )
