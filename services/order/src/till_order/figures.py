"""Where orders are, as figures."""

from prometheus_client import Gauge

from till_platform.figures import Figure

FIGURES = (
    Figure(
        Gauge("till_orders", "Orders by their status in the workflow.", ["status"]),
        "SELECT status, count(*) AS value FROM order_cards.orders GROUP BY 1",
    ),
)
