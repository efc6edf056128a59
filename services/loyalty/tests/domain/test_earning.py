from datetime import UTC, datetime, timedelta

from till_events.loyalty import PointsAccrued, PointsReversed, ReturnWithoutPoints, TierChanged
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.returning import settle_return
from till_platform.domain import Invalid
from till_platform.testing import happened

from .sentences import NOON, account, after_purchases, days, lot, owned, programme, published, purchase, returned


def test_a_purchase_earns_a_point_a_dollar() -> None:
    account().when(lambda a: accrue(a, purchase(total=123_99), programme())).then(
        happened(PointsAccrued, points=123, basis_minor=123_99, spend_minor=123_99, tier="base", rules_version=1)
    )


def test_a_purchase_told_twice_earns_once() -> None:
    after_purchases(programme(), purchase()).when(lambda a: accrue(a, purchase(), programme())).then_nothing()


def test_nothing_is_earned_on_what_points_and_gift_cards_paid() -> None:
    paid = [("cash", 50_00), ("points", 20_00), ("gift_card", 30_00)]
    account().when(lambda a: accrue(a, purchase(total=100_00, paid=paid), programme())).then(
        happened(PointsAccrued, points=50, basis_minor=50_00, spend_minor=80_00)
    )


def test_points_earn_no_points_even_if_the_programme_forgot_to_exclude_them() -> None:
    paid = [("points", 20_00), ("gift_card", 30_00)]
    account().when(lambda a: accrue(a, purchase(total=50_00, paid=paid), programme(earning_excludes=()))).then(
        happened(PointsAccrued, points=30, basis_minor=30_00, spend_minor=30_00)
    )


def test_a_purchase_too_small_for_a_point_still_counts_as_spending() -> None:
    account().when(lambda a: accrue(a, purchase(total=99), programme())).then(
        happened(PointsAccrued, points=0, spend_minor=99)
    )


def test_a_purchase_in_another_currency_earns_nothing_and_stays_on_record() -> None:
    account().when(lambda a: accrue(a, purchase(currency="PLN"), programme())).then(
        happened(PointsAccrued, points=0, basis_minor=0, spend_minor=0, currency="PLN")
    )


def test_a_purchase_that_cost_less_than_excluded_tenders_paid_earns_nothing() -> None:
    paid = [("gift_card", 60_00), ("cash", -10_00)]
    account().when(lambda a: accrue(a, purchase(total=50_00, paid=paid), programme())).then(
        happened(PointsAccrued, points=0, basis_minor=0, spend_minor=50_00)
    )


def test_points_are_pending_until_the_local_midnight_after_the_return_window() -> None:
    late_evening = datetime(2024, 3, 2, 4, 30, tzinfo=UTC)  # half past eleven at night on March 1 in New York
    account().when(lambda a: accrue(a, purchase(at=late_evening), programme(pending_days=14, validity_days=30))).then(
        happened(
            PointsAccrued,
            available_from=datetime(2024, 3, 16, 4, 0, tzinfo=UTC),  # summer time has begun
            expires_at=datetime(2024, 4, 1, 4, 0, tzinfo=UTC),
        )
    )


def test_points_without_a_pending_time_are_spendable_at_once() -> None:
    account().when(lambda a: accrue(a, purchase(), programme(pending_days=0))).then(
        happened(PointsAccrued, available_from=NOON)
    )


def test_where_clocks_skip_midnight_the_day_ends_when_they_skip() -> None:
    before_the_gap = datetime(2024, 4, 24, 12, tzinfo=UTC)  # Cairo's clocks go from 23:59:59 on April 25 to 01:00
    rules_ = programme(zone="Africa/Cairo", pending_days=1, validity_days=30)
    account().when(lambda a: accrue(a, purchase(at=before_the_gap), rules_)).then(
        happened(PointsAccrued, available_from=datetime(2024, 4, 25, 22, 0, tzinfo=UTC))
    )


def test_a_purchase_is_judged_by_the_rules_of_its_own_time() -> None:
    richer = published(version=2, effective_from=NOON, pending_days=0)
    both = programme(published(), richer)
    account().when(lambda a: accrue(a, purchase(at=NOON - timedelta(seconds=1)), both)).then(
        happened(PointsAccrued, rules_version=1)
    )
    account().when(lambda a: accrue(a, purchase(at=NOON), both)).then(happened(PointsAccrued, rules_version=2))


def test_a_purchase_older_than_all_rules_is_judged_by_the_earliest() -> None:
    only = programme(published(effective_from=NOON))
    account().when(lambda a: accrue(a, purchase(at=NOON - days(300)), only)).then(
        happened(PointsAccrued, rules_version=1)
    )


def test_spending_enough_raises_the_tier_right_after_the_purchase() -> None:
    account().when(lambda a: accrue(a, purchase(total=500_00), programme())).then(
        happened(PointsAccrued, tier="base", points=500),
        happened(TierChanged, from_tier="base", to_tier="silver", spend_minor=500_00, occurred_at=NOON),
    )


def test_a_penny_less_does_not() -> None:
    account().when(lambda a: accrue(a, purchase(total=499_99), programme())).then(happened(PointsAccrued))


def test_the_next_purchase_earns_by_the_new_tier() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    silver.when(lambda a: accrue(a, purchase("r2", total=80_00, at=NOON + days(1)), programme())).then(
        happened(PointsAccrued, tier="silver", points=100)
    )


def test_a_late_purchase_earns_by_the_tier_of_its_own_day() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    silver.when(lambda a: accrue(a, purchase("r0", total=80_00, at=NOON - days(1)), programme())).then(
        happened(PointsAccrued, tier="base", points=80, occurred_at=NOON - days(1))
    )


def test_a_late_purchase_can_raise_the_tier_from_the_latest_day_on() -> None:
    nearly = after_purchases(programme(), purchase(total=450_00))
    nearly.when(lambda a: accrue(a, purchase("r0", total=50_00, at=NOON - days(5)), programme())).then(
        happened(PointsAccrued, tier="base", occurred_at=NOON - days(5)),
        happened(TierChanged, to_tier="silver", occurred_at=NOON, window_to=NOON.date()),
    )


def test_spending_grows_too_old_to_count() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    a_year_later = silver.when(lambda a: accrue(a, purchase("r2", total=1_00, at=NOON + days(365)), programme()))
    a_year_later.then(
        happened(PointsAccrued, tier="silver"),
        happened(TierChanged, from_tier="silver", to_tier="base", spend_minor=1_00),
    )


def test_the_window_holds_its_first_day_and_not_the_one_before() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    silver.when(lambda a: accrue(a, purchase("r2", total=1_00, at=NOON + days(364)), programme())).then(
        happened(PointsAccrued)
    )


def test_paying_with_points_raises_no_tier() -> None:
    account().when(lambda a: accrue(a, purchase(total=600_00, paid=[("points", 600_00)]), programme())).then(
        happened(PointsAccrued, points=0, spend_minor=0)
    )


def test_a_tier_the_rules_no_longer_have_earns_like_the_lowest_and_is_reviewed() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    flat = programme(
        published(), published(version=2, effective_from=NOON + days(1), tiers=published().rules.tiers[:1])
    )
    silver.when(lambda a: accrue(a, purchase("r2", total=10_00, at=NOON + days(2)), flat)).then(
        happened(PointsAccrued, tier="base", points=10),
        happened(TierChanged, from_tier="silver", to_tier="base", rules_version=2),
    )


def test_a_purchase_that_reports_after_its_return_is_settled_at_once() -> None:
    early = account()
    early.when(lambda a: settle_return(a, returned(total=30_00), programme())).then(
        happened(ReturnWithoutPoints, purchase_id="r1", spend_minor=30_00)
    )
    early.when(lambda a: accrue(a, purchase(total=100_00), programme())).then(
        happened(PointsAccrued, points=100),
        happened(PointsReversed, points=30, return_id="back-1", spend_minor=0, shortfall=0),
    )
    assert owned(early.aggregate) == 70


def test_a_purchase_from_no_year_of_this_programme_is_refused() -> None:
    ancient = datetime(1, 1, 1, tzinfo=UTC)
    account().when(lambda a: accrue(a, purchase(at=ancient), programme())).then_refused(Invalid, field="occurred_at")


def test_a_lot_given_by_hand_is_no_spending() -> None:
    account(lot("gift", 10_000)).when(lambda a: accrue(a, purchase(total=1_00), programme())).then(
        happened(PointsAccrued, tier="base")
    )
