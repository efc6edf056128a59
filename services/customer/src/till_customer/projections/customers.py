"""Finding a customer: by phone, by address, by what others call them, and by a name in any script."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from till_customer.domain.known_customers import Identifier
from till_customer.domain.names import folded
from till_events.customer import CustomerProfileChanged, CustomerRegistered
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Row, Table

CUSTOMERS = Table(
    "customers",
    {
        "customer_id": "text",
        "name": "text",
        "folded": "text",
        "kind": "text",
        "phone": "text",
        "email": "text",
        "store_id": "text",
        "external_id": "text",
        "locale": "text",
    },
    key=("customer_id",),
    indexes=("USING gin (folded gin_trgm_ops)",),
)

IDENTIFIERS = Table(
    "identifiers", {"kind": "text", "value": "text", "customer_id": "text"}, key=("kind", "value", "customer_id"),
    indexes=("(customer_id)",),
)  # fmt: skip


class Customers(Projection):
    """Who there is, by everything that can be asked for at a counter."""

    name = "customers"
    of = (CustomerRegistered, CustomerProfileChanged)
    tables = (CUSTOMERS, IDENTIFIERS)

    def fold(self, batch: Batch, db: Db) -> None:
        latest = {fact.event.customer_id: fact.event for fact in batch}
        changed = [event.customer_id for event in latest.values() if isinstance(event, CustomerProfileChanged)]
        if changed:
            db.execute("DELETE FROM identifiers WHERE customer_id = ANY(%s)", [changed])
        db.upsert(CUSTOMERS, (_customer(event) for event in latest.values()))
        db.insert(IDENTIFIERS, (row for event in latest.values() for row in _identifiers(event)))


class KnownByReadModels:
    """The customers of the chain as far as the read models have heard."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def owners(self, identifiers: Collection[Identifier]) -> Mapping[Identifier, str]:
        """Return whose these ids and cards are. A card may be known from the customer or from the loyalty programme."""
        if not identifiers:
            return {}
        rows = await self._reads.all(
            "SELECT kind, value, min(customer_id) AS customer_id FROM ("
            " SELECT kind, value, customer_id FROM customers.identifiers"
            " UNION ALL SELECT 'card', card_number, customer_id FROM cards.cards"
            ") AS known WHERE (kind, value) IN (SELECT * FROM unnest(%s::text[], %s::text[])) GROUP BY kind, value",
            [list(column) for column in zip(*sorted(identifiers), strict=True)],
        )
        return {(row["kind"], row["value"]): row["customer_id"] for row in rows}

    async def sharing(self, contacts: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the customers of each phone or address."""
        if not contacts:
            return {}
        rows = await self._reads.all(
            "SELECT value, array_agg(customer_id ORDER BY customer_id) AS customers FROM customers.identifiers"
            " WHERE kind IN ('phone', 'email') AND value = ANY(%s) GROUP BY value",
            [sorted(contacts)],
        )
        return {row["value"]: row["customers"] for row in rows}


async def customers_by_name(
    reads: Reads, name: str, *, after: tuple[int, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Return customers whose names are like this one, the likest first; `likeness` is a millionth part of 1."""
    wanted = folded(name)
    likeness, customer_id = after or (None, None)
    return await reads.all(
        "SELECT * FROM ("
        "  SELECT *, (extensions.word_similarity(%(wanted)s, folded) * 1000000)::int AS likeness"
        "  FROM customers.customers WHERE %(wanted)s OPERATOR(extensions.<%%) folded OR folded LIKE %(prefix)s"
        ") AS found"
        " WHERE %(likeness)s::int IS NULL OR (-likeness, customer_id) > (-%(likeness)s::int, %(customer_id)s)"
        " ORDER BY -likeness, customer_id LIMIT %(limit)s",
        {
            "wanted": wanted,
            "prefix": f"{wanted}%" if wanted else "",
            "likeness": likeness,
            "customer_id": customer_id,
            "limit": limit,
        },
    )


async def customers_by(reads: Reads, kind: str, value: str, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the customers with this phone, e-mail address, card or id of another system, in the order of their ids."""
    return await reads.all(
        "SELECT * FROM customers.customers WHERE customer_id > %(after)s AND customer_id IN ("
        " SELECT customer_id FROM customers.identifiers WHERE kind = %(kind)s AND value = %(value)s"
        " UNION SELECT customer_id FROM cards.cards WHERE %(kind)s = 'card' AND card_number = %(value)s"
        ") ORDER BY customer_id LIMIT %(limit)s",
        {"kind": kind, "value": value, "after": after or "", "limit": limit},
    )


def _customer(event: CustomerRegistered | CustomerProfileChanged) -> Row:
    return (
        event.customer_id,
        event.name,
        folded(event.name),
        event.kind,
        next(iter(event.phones), None),
        next(iter(event.emails), None),
        event.store_id,
        event.external_id,
        event.locale,
    )


def _identifiers(event: CustomerRegistered | CustomerProfileChanged) -> Iterator[Row]:
    for phone in event.phones:
        yield ("phone", phone, event.customer_id)
    for email in event.emails:
        yield ("email", email, event.customer_id)
    for card in event.card_numbers:
        yield ("card", card, event.customer_id)
    if event.external_id:
        yield ("external_id", event.external_id, event.customer_id)
