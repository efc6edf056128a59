from till_events.loyalty import TierChanged
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.tiers import review_tier
from till_platform.testing import given, happened

from .sentences import NOON, after_purchases, days, empty_account, opened, programme, published, purchase


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


def test_a_history_brought_along_counts_although_the_account_was_opened_after_it() -> None:
    late = given(empty_account(), opened(at=NOON + days(400)))
    for number, at in (("r1", NOON), ("r2", NOON + days(1))):
        accrue(late.aggregate, purchase(number, total=400_00, at=at), programme())
    assert late.aggregate.tier == "silver"
    assert late.aggregate.tier_at(NOON) == "base"
    assert late.aggregate.tier_at(NOON + days(2)) == "silver"


def test_a_review_in_the_middle_of_an_import_does_not_confuse_what_comes_after() -> None:
    half = after_purchases(programme(), purchase("r1", 500_00))
    today = NOON + days(300)
    review_tier(half.aggregate, programme(), at=today)
    accrue(half.aggregate, purchase("r2", 1_000_00, at=NOON + days(10)), programme())
    assert half.aggregate.tier == "gold"
    assert half.aggregate.tier_at(NOON + days(5)) == "silver"
