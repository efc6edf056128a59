"""Customers scored by recency, frequency and money as of any business day, by the model the chain published."""

from datetime import date
from typing import Any

import msgspec

from till_analytics.domain.rfm_model import QUINTILES, Ranking
from till_analytics.projections.scope import IN_STORES, stores_parameter
from till_platform.projections.reads import Reads


async def rfm_scores(
    reads: Reads,
    ranking: Ranking,
    as_of: date,
    *,
    stores: tuple[str, ...] | None = None,
    buyers_only: bool = False,
    group: str | None = None,
    customer_id: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return customers with their measures, scores and group, in the order of their ids, from the one behind `after` on.

    Who bought in the stores in question, in the model's currency, is ranked against all others who did so in the window;
    who last bought before the window has the lowest scores; who registered and never bought has none (zeros, no recency).
    """
    return await reads.all(
        f"""
        {_scored(ranking)}
        SELECT * FROM grouped
        WHERE (%(group)s::text IS NULL OR "group" = %(group)s) AND (%(customer)s::text IS NULL OR customer_id = %(customer)s)
            AND (%(after)s::text IS NULL OR customer_id > %(after)s) AND (r > 0 OR NOT %(buyers_only)s)
        ORDER BY customer_id LIMIT %(limit)s
        """,
        _parameters(ranking, as_of, stores)
        | {"group": group, "customer": customer_id, "after": after, "limit": limit, "buyers_only": buyers_only},
    )


async def rfm_groups(
    reads: Reads, ranking: Ranking, as_of: date, *, stores: tuple[str, ...] | None = None
) -> list[dict[str, Any]]:
    """Return every group of the model, empty ones too, with its customers and what they bought in the window."""
    return await reads.all(
        f"""
        {_scored(ranking)}
        SELECT named."group", count(customer_id) AS customers, coalesce(sum(frequency), 0)::bigint AS receipts,
            coalesce(sum(monetary_minor), 0)::bigint AS monetary_minor
        FROM named LEFT JOIN grouped USING ("group") GROUP BY named."group", place ORDER BY place
        """,
        _parameters(ranking, as_of, stores),
    )


def _scored(ranking: Ranking) -> str:
    return f"""
        WITH named AS (
            SELECT * FROM ROWS FROM (jsonb_to_recordset(%(groups)s::jsonb) AS
                ("group" text, recency_from int, recency_to int, value_from int, value_to int)) WITH ORDINALITY
                AS cells ("group", recency_from, recency_to, value_from, value_to, place)
        ), bought AS (
            SELECT customer_id, max(business_date) FILTER (WHERE receipts > 0) AS last_day,
                coalesce(sum(receipts) FILTER (WHERE business_date > %(before)s), 0)::bigint AS frequency,
                coalesce(sum(sales_minor - refunds_minor) FILTER (WHERE business_date > %(before)s), 0)::bigint AS monetary_minor
            FROM customer_days.days WHERE business_date <= %(as_of)s AND currency = %(currency)s AND {IN_STORES}
            GROUP BY customer_id HAVING sum(receipts) > 0
        ), measured AS (
            SELECT customer_id, %(as_of)s::date - last_day AS recency_days, frequency, monetary_minor FROM bought
        ), scored AS (
            SELECT *, {_recency(ranking)} AS r, {_rising("frequency", "frequency_cuts", ranking.frequency_cuts)} AS f,
                {_rising("monetary_minor", "money_cuts", ranking.money_cuts)} AS m
            FROM measured WHERE frequency > 0
            UNION ALL
            SELECT *, 1, 1, 1 FROM measured WHERE frequency = 0
            UNION ALL
            SELECT customer_id, NULL, 0, 0, 0, 0, 0 FROM signups.signups
            WHERE (registered_at AT TIME ZONE 'UTC')::date <= %(as_of)s AND {IN_STORES}
                AND customer_id NOT IN (SELECT customer_id FROM bought)
        ), grouped AS (
            SELECT customer_id, recency_days, frequency, monetary_minor, r::int AS r, f::int AS f, m::int AS m, "group"
            FROM scored JOIN named ON r BETWEEN recency_from AND recency_to AND (f + m + 1) / 2 BETWEEN value_from AND value_to
        )
    """


def _recency(ranking: Ranking) -> str:
    """Fewer days are better, and a day at a cut point still has the better score. Equal customers get equal scores."""
    if ranking.recency_cuts:
        return f"{ranking.recency_scores} - width_bucket(recency_days - 1, %(recency_cuts)s::int[])"
    return f"{QUINTILES} - {QUINTILES} * (rank() OVER (ORDER BY recency_days) - 1) / count(*) OVER ()"


def _rising(measure: str, parameter: str, cuts: tuple[int, ...]) -> str:
    """More is better, and an amount at a cut point has the better score. Equal customers get equal scores."""
    if cuts:
        return f"1 + width_bucket({measure}, %({parameter})s::bigint[])"
    return f"1 + {QUINTILES} * (rank() OVER (ORDER BY {measure}) - 1) / count(*) OVER ()"


def _parameters(ranking: Ranking, as_of: date, stores: tuple[str, ...] | None) -> dict[str, Any]:
    return {
        "as_of": as_of,
        "before": date.fromordinal(max(1, as_of.toordinal() - ranking.window_days)),
        "currency": ranking.currency,
        "stores": stores_parameter(stores),
        "groups": msgspec.json.encode(ranking.groups).decode(),
        "recency_cuts": list(ranking.recency_cuts),
        "frequency_cuts": list(ranking.frequency_cuts),
        "money_cuts": list(ranking.money_cuts),
    }
