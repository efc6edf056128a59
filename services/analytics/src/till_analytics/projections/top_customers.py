"""Who spends most."""

from typing import Any

from till_analytics.projections.scope import IN_SCOPE, Scope
from till_platform.projections.reads import Reads


async def top_customers(reads: Reads, scope: Scope, *, limit: int) -> list[dict[str, Any]]:
    """Return the customers who spent most in the period, less what was given back to them; a list of `limit` for each currency.

    Equal spenders stand in the order of their ids.
    """
    return await reads.all(
        f"""
        WITH spent AS (
            SELECT customer_id, currency, sum(receipts)::bigint AS receipts, sum(sales_minor)::bigint AS sales_minor,
                sum(returns)::bigint AS returns, sum(refunds_minor)::bigint AS refunds_minor,
                sum(sales_minor - refunds_minor)::bigint AS net_minor,
                max(business_date) FILTER (WHERE receipts > 0) AS last_bought_on
            FROM customer_days.days WHERE {IN_SCOPE} GROUP BY customer_id, currency
        ), ranked AS (
            SELECT *, row_number() OVER (PARTITION BY currency ORDER BY net_minor DESC, customer_id) AS place FROM spent
        )
        SELECT * FROM ranked WHERE place <= %(limit)s ORDER BY currency, place
        """,
        scope.parameters | {"limit": limit},
    )
