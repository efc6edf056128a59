"""Sales cut by store, day, department and so on. Figures are added up when somebody asks, so no two reports can disagree."""

from dataclasses import dataclass
from typing import Any, Literal

from till_analytics.projections.sales import PRODUCT_SALES, RECEIPTS, TENDERS
from till_analytics.projections.scope import IN_SCOPE, Scope
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

By = Literal[
    "store",
    "day",
    "week",
    "month",
    "channel",
    "operator",
    "payment",
    "department",
    "category",
    "manufacturer",
    "brand",
    "product",
]
Figures = dict[str, Any]
"""One row of a report: `key`, `name`, `unit`, `currency` and the figures; None where a figure has no meaning for the cut."""

COUNTS = ("receipts", "returns", "lines")
AMOUNTS = ("sales_minor", "discount_minor", "refunds_minor")
QUANTITIES = ("quantity", "returned_quantity")


@dataclass(frozen=True)
class Report:
    """The rows asked for, the totals of all rows by currency (shown or not), and whether there are more rows than shown."""

    rows: list[Figures]
    totals: list[Figures]
    more: bool


@dataclass(frozen=True)
class _Cut:
    """How a report is made: the table it adds up, by what, and where a group's key and name come from."""

    table: Table
    id: str
    key: str = "id"
    name: str = "NULL::text"
    join: str = ""
    chronological: bool = False

    def query(self) -> str:
        by_product = self.id == "product_id" and self.key == "id"
        unit = "unit" if by_product else "NULL::text"  # pieces and litres are never added up
        available = (*self.table.columns,) if by_product else tuple(set(self.table.columns) - set(QUANTITIES))
        figures = (*COUNTS, *AMOUNTS, *QUANTITIES)
        sums = [f"sum({name}) AS {name}" if name in available else f"NULL::numeric AS {name}" for name in figures]
        whole = [f"sum({name})::bigint AS {name}" for name in (*COUNTS, *AMOUNTS)]
        order = "key, currency" if self.chronological else "sales_minor - refunds_minor DESC, key, currency, unit"
        # Figures are added up before they are named: there are a hundred times more figures than products.
        return f"""
            WITH sums AS (
                SELECT {self.id} AS id, {unit} AS unit, currency, {", ".join(sums)}
                FROM sales.{self.table.name} WHERE {IN_SCOPE} GROUP BY 1, 2, 3
            ), figures AS (
                SELECT {self.key} AS key, {self.name} AS name, unit, sums.currency, {", ".join(whole)},
                    {", ".join(f"sum({name}) AS {name}" for name in QUANTITIES)}
                FROM sums {self.join} GROUP BY 1, 2, 3, 4
            ), listed AS (
                SELECT false AS total, * FROM figures ORDER BY {order} LIMIT %(limit)s
            ), totals AS (
                SELECT true AS total, NULL::text AS key, NULL::text AS name, NULL::text AS unit, currency, {", ".join(whole)},
                    NULL::numeric AS quantity, NULL::numeric AS returned_quantity
                FROM figures GROUP BY currency
            )
            SELECT * FROM (SELECT * FROM totals UNION ALL SELECT * FROM listed) AS report ORDER BY total DESC, {order}
        """


_PRODUCTS = "LEFT JOIN catalogue.products ON products.product_id = id"
_CUTS: dict[By, _Cut] = {
    "store": _Cut(RECEIPTS, "store_id", name="stores.name", join="LEFT JOIN catalogue.stores ON stores.store_id = id"),
    "day": _Cut(RECEIPTS, "to_char(business_date, 'YYYY-MM-DD')", chronological=True),
    "week": _Cut(RECEIPTS, "to_char(business_date, 'IYYY-\"W\"IW')", chronological=True),
    "month": _Cut(RECEIPTS, "to_char(business_date, 'YYYY-MM')", chronological=True),
    "channel": _Cut(RECEIPTS, "channel"),
    "operator": _Cut(RECEIPTS, "nullif(operator_id, '')"),
    "payment": _Cut(TENDERS, "method"),
    "department": _Cut(PRODUCT_SALES, "product_id", key="department", join=_PRODUCTS),
    "category": _Cut(PRODUCT_SALES, "product_id", key="category", join=_PRODUCTS),
    "manufacturer": _Cut(PRODUCT_SALES, "product_id", key="manufacturer", join=_PRODUCTS),
    "brand": _Cut(PRODUCT_SALES, "product_id", key="brand", join=_PRODUCTS),
    "product": _Cut(PRODUCT_SALES, "product_id", name="products.name", join=_PRODUCTS),
}


async def sales_report(reads: Reads, by: By, scope: Scope, *, limit: int | None = None) -> Report:
    """Return sales and refunds cut one way, days in their order, everything else by what it brought in, the most first.

    A key of None gathers what belongs nowhere: products no catalogue describes, receipts without an operator. A product moved to
    another department takes its past with it. `quantity` and `unit` are told of products only, one row per unit.
    """
    parameters = scope.parameters | {"limit": None if limit is None else limit + 1}
    found = await reads.all(_CUTS[by].query(), parameters)
    totals = [row for row in found if row["total"]]
    rows = found[len(totals) :]
    return Report(rows[:limit], totals, more=limit is not None and len(rows) > limit)
