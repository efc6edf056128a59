"""Everything that was ever sold, in one line per currency: what the books are compared with."""

from typing import Any

from till_analytics.projections.scope import IN_SCOPE, Scope
from till_platform.projections.reads import Reads


async def grand_totals(reads: Reads, scope: Scope) -> list[dict[str, Any]]:
    """Return receipts, lines, sales and refunds by currency, as the receipts, their lines and their tenders each add up to."""
    return await reads.all(
        f"""
        WITH by_receipt AS (
            SELECT currency, sum(receipts)::bigint AS receipts, sum(lines)::bigint AS lines, sum(sales_minor)::bigint AS sales_minor,
                sum(returns)::bigint AS returns, sum(returned_lines)::bigint AS returned_lines,
                sum(refunds_minor)::bigint AS refunds_minor, count(DISTINCT store_id) AS stores,
                min(business_date) AS first_day, max(business_date) AS last_day
            FROM sales.receipts WHERE {IN_SCOPE} GROUP BY currency
        ), by_line AS (
            SELECT currency, sum(sales_minor - refunds_minor)::bigint AS net_minor
            FROM sales.product_sales WHERE {IN_SCOPE} GROUP BY currency
        ), by_tender AS (
            SELECT currency, sum(sales_minor - refunds_minor)::bigint AS net_minor
            FROM sales.tenders WHERE {IN_SCOPE} GROUP BY currency
        ), by_customer AS (
            SELECT currency, count(DISTINCT customer_id) AS customers
            FROM customer_days.days WHERE {IN_SCOPE} GROUP BY currency
        )
        SELECT by_receipt.*, sales_minor - refunds_minor AS net_minor, coalesce(customers, 0) AS customers,
            coalesce(by_line.net_minor, 0) AS lines_net_minor, coalesce(by_tender.net_minor, 0) AS tenders_net_minor
        FROM by_receipt LEFT JOIN by_line USING (currency) LEFT JOIN by_tender USING (currency)
            LEFT JOIN by_customer USING (currency)
        ORDER BY currency
        """,
        scope.parameters,
    )
