"""Who comes again, and how much of the trade that is."""

from typing import Any

from till_analytics.projections.scope import IN_SCOPE, IN_STORES, Scope
from till_platform.projections.reads import Reads


async def repeat_sales(reads: Reads, scope: Scope) -> list[dict[str, Any]]:
    """Return, by currency, the period's trade of first days, of later days, and of unknown customers.

    A customer's first day is the first on which they ever bought in the stores in question; whatever they buy on a later day
    is a repeat sale, and makes them a repeat customer of the period. Money is less refunds.
    """
    return await reads.all(
        f"""
        WITH firsts AS (
            SELECT customer_id, min(business_date) AS first_day FROM customer_days.days
            WHERE receipts > 0 AND business_date <= %(last)s AND {IN_STORES} GROUP BY customer_id
        ), known AS (
            SELECT currency,
                count(DISTINCT customer_id) FILTER (WHERE receipts > 0) AS customers,
                count(DISTINCT customer_id) FILTER (WHERE receipts > 0 AND business_date = first_day) AS new_customers,
                count(DISTINCT customer_id) FILTER (WHERE receipts > 0 AND business_date > first_day) AS repeat_customers,
                sum(receipts)::bigint AS receipts,
                coalesce(sum(receipts) FILTER (WHERE business_date > first_day), 0)::bigint AS repeat_receipts,
                sum(sales_minor - refunds_minor)::bigint AS net_minor,
                coalesce(sum(sales_minor - refunds_minor) FILTER (WHERE business_date > first_day), 0)::bigint AS repeat_net_minor
            FROM customer_days.days LEFT JOIN firsts USING (customer_id) WHERE {IN_SCOPE} GROUP BY currency
        ), everybody AS (
            SELECT currency, sum(receipts)::bigint AS receipts, sum(sales_minor - refunds_minor)::bigint AS net_minor
            FROM sales.receipts WHERE {IN_SCOPE} GROUP BY currency
        )
        SELECT currency, coalesce(known.customers, 0) AS customers, coalesce(new_customers, 0) AS new_customers,
            coalesce(repeat_customers, 0) AS repeat_customers, coalesce(known.receipts, 0) AS receipts,
            coalesce(repeat_receipts, 0) AS repeat_receipts, coalesce(known.net_minor, 0) AS net_minor,
            coalesce(repeat_net_minor, 0) AS repeat_net_minor,
            everybody.receipts - coalesce(known.receipts, 0) AS anonymous_receipts,
            everybody.net_minor - coalesce(known.net_minor, 0) AS anonymous_net_minor
        FROM everybody LEFT JOIN known USING (currency) ORDER BY currency
        """,
        scope.parameters,
    )
