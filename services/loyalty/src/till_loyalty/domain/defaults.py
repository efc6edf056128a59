"""The programme a chain starts with, until it publishes its own."""

from datetime import UTC, datetime

from till_events.loyalty import ProgrammeRules, TierRule

NAME = "Loyalty programme"
FROM_THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""The default rules cover any history a chain brings along."""

RULES = ProgrammeRules(
    currency="USD",
    zone="America/New_York",
    tiers=(
        TierRule(tier="base", threshold_minor=0, earn_minor_per_point=100),
        TierRule(tier="silver", threshold_minor=500_00, earn_minor_per_point=80),
        TierRule(tier="gold", threshold_minor=1_500_00, earn_minor_per_point=50),
    ),
    tier_window_days=365,
    pending_days=14,
    validity_days=365,
    point_value_minor=1,
    return_policy="within_balance",
    hold_minutes=15,
)
"""One point a dollar, for silver (500 a year) one per 0.80, for gold (1,500 a year) one per 0.50. A point pays one cent."""
