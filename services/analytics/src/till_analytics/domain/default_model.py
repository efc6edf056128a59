"""The ranking a chain starts with: eleven groups, named as in Shopify's `CustomerRfmGroup`."""

from till_analytics.domain.rfm_model import Ranking
from till_events.analytics import RfmGroup


def _group(name: str, recency: tuple[int, int], value: tuple[int, int]) -> RfmGroup:
    return RfmGroup(group=name, recency_from=recency[0], recency_to=recency[1], value_from=value[0], value_to=value[1])


DEFAULT_RANKING = Ranking(
    window_days=365,
    currency="USD",
    groups=(
        _group("champions", (5, 5), (4, 5)),
        _group("loyal", (4, 4), (4, 5)),
        _group("active", (4, 5), (3, 3)),
        _group("new", (5, 5), (1, 2)),
        _group("promising", (4, 4), (1, 2)),
        _group("needs_attention", (3, 3), (3, 5)),
        _group("almost_lost", (2, 3), (1, 2)),
        _group("at_risk", (2, 2), (3, 5)),
        _group("previously_loyal", (1, 1), (4, 5)),
        _group("dormant", (1, 1), (1, 3)),
        _group("prospects", (0, 0), (0, 0)),
    ),
)
"""Five equal shares of customers by each measure, over the year before; prospects registered and never bought."""
