"""Which business days and which stores a report covers."""

from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

from psycopg import Connection

from till_analytics.domain.period import Comparison, Period
from till_platform.projections.reads import Reads

IN_STORES = "(%(stores)s::text[] IS NULL OR store_id = ANY(%(stores)s))"
IN_SCOPE = f"business_date BETWEEN %(first)s AND %(last)s AND {IN_STORES}"
"""The condition on a table with `business_date` and `store_id`; its parameters are `Scope.parameters`."""


@dataclass(frozen=True)
class Scope:
    """The business days of a period in some stores; None is every store."""

    period: Period
    stores: tuple[str, ...] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        return {"first": self.period.first, "last": self.period.last, "stores": stores_parameter(self.stores)}

    def compared_with(self, comparison: Comparison) -> "Scope":
        """Return the same stores in the period before."""
        return Scope(self.period.compared_with(comparison), self.stores)


def stores_parameter(stores: tuple[str, ...] | None) -> list[str] | None:
    return None if stores is None else list(stores)


async def days_loaded(reads: Reads) -> Period | None:
    """Return the first and the last business day on which anything was sold or taken back; None before the first receipt."""
    return await days_between(reads, "SELECT min(business_date), max(business_date) FROM sales.receipts")


async def days_between(reads: Reads, query: LiteralString) -> Period | None:
    """Return the two days that `query` finds as a period; None if it finds nothing."""

    def read(connection: Connection[Any]) -> tuple[date | None, date | None]:
        return connection.execute(query).fetchone() or (None, None)

    first, last = await reads.run(read)
    return Period(first, last) if first and last else None
