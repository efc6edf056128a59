"""What is open on the customers' accounts, as figures."""

from prometheus_client import Gauge

from till_platform.figures import Figure

_LOTS = """
SELECT CASE WHEN remaining = 0 THEN 'spent' WHEN expires_at <= clock_timestamp() THEN 'expired'
    WHEN available_from > clock_timestamp() THEN 'waiting' ELSE 'open' END AS state, {what} AS value
FROM lots.lots GROUP BY 1
"""

FIGURES = (
    Figure(
        Gauge("till_loyalty_lots", "Lots of points: open, waiting to become available, expired, or spent.", ["state"]),
        _LOTS.format(what="count(*)"),
    ),
    Figure(
        Gauge("till_loyalty_points", "Points that are left in lots, by the state of the lot.", ["state"]),
        _LOTS.format(what="sum(remaining)"),
    ),
    Figure(
        Gauge("till_loyalty_holds", "Points put aside by tills: holds by what became of them.", ["state"]),
        """
        SELECT known.state, count(found.state) AS value
        FROM (VALUES ('held'), ('overdue'), ('captured'), ('released')) AS known (state) LEFT JOIN (
            SELECT CASE WHEN state = 'held' AND expires_at <= clock_timestamp() THEN 'overdue' ELSE state END AS state FROM holds.holds
        ) AS found USING (state) GROUP BY 1
        """,
    ),
)
