from till_events.loyalty import TierChanged
from till_loyalty.domain.tiers import review_tier
from till_platform.testing import happened

from .sentences import NOON, after_purchases, days, programme, published, purchase


def test_a_level_is_lost_when_the_spending_behind_it_grew_old() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    silver.when(lambda a: review_tier(a, programme(), at=NOON + days(364))).then_nothing()
    silver.when(lambda a: review_tier(a, programme(), at=NOON + days(365))).then(
        happened(TierChanged, from_tier="silver", to_tier="base", spend_minor=0)
    )
    silver.when(lambda a: review_tier(a, programme(), at=NOON + days(366))).then_nothing()


def test_a_level_can_fall_by_more_than_one_step() -> None:
    gold = after_purchases(programme(), purchase(total=1_500_00))
    assert gold.aggregate.tier == "gold"
    gold.when(lambda a: review_tier(a, programme(), at=NOON + days(400))).then(
        happened(TierChanged, from_tier="gold", to_tier="base")
    )


def test_new_rules_move_customers_at_their_next_review() -> None:
    tougher = programme(published(), published(version=2, effective_from=NOON + days(1), tier_window_days=30))
    silver = after_purchases(tougher, purchase(total=500_00))
    silver.when(lambda a: review_tier(a, tougher, at=NOON + days(40))).then(
        happened(TierChanged, to_tier="base", rules_version=2)
    )


def test_the_level_of_any_past_time_is_known() -> None:
    gold = after_purchases(
        programme(), purchase("r1", 500_00, at=NOON), purchase("r2", 1_000_00, at=NOON + days(1))
    ).aggregate
    times = (NOON - days(2000), NOON - days(1), NOON, NOON + days(1), NOON + days(2))
    assert [gold.tier_at(at) for at in times] == ["base", "base", "silver", "gold", "gold"]
