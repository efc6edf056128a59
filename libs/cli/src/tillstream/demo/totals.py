"""The sales total of the imported history as each service knows it, against the sum that polars makes of the data."""

from dataclasses import dataclass
from datetime import date

import psycopg

from tillstream.attached import Attached
from tillstream.demo.receipts import TILL

_QUERIES = {
    ("order", "its receipts"): (
        "SELECT sum(total_minor), count(*), sum(line_count) FROM receipts.receipts"
        " WHERE till_id = %(till)s AND business_date <= %(last)s"
    ),
    ("customer", "the customers' timelines"): (
        "SELECT sum(amount_minor), count(*), NULL FROM timelines.entries"
        " WHERE kind = 'purchase.recorded' AND occurred_at < %(end)s"
    ),
    ("loyalty", "the spending that earned points"): (
        "SELECT sum(spend_minor), count(*), NULL FROM lots.lots WHERE earned_at < %(end)s"
    ),
    ("analytics", "sales by store and day"): (
        "SELECT sum(sales_minor), sum(receipts), sum(lines) FROM sales.receipts WHERE business_date <= %(last)s"
    ),
}


@dataclass(frozen=True)
class Total:
    """What one service makes of the history; amounts are cents. `lines` where it counts them."""

    service: str
    of: str
    sales_minor: int
    receipts: int
    lines: int | None


def totals(attached: Attached, last_day: date) -> list[Total]:
    """Return the totals of all sales up to the last business day of the history. Notification knows of no sales and is not asked."""
    values = {"till": TILL, "last": last_day, "end": f"{last_day} 23:59:59.999999 America/New_York"}
    found = []
    for (service, of), query in _QUERIES.items():
        with psycopg.connect(attached.state.databases[service], autocommit=True) as connection:
            sales, receipts, lines = connection.execute(query.encode(), values).fetchone() or (0, 0, 0)
        found.append(Total(service, of, int(sales or 0), int(receipts or 0), int(lines) if lines is not None else None))
    return found
