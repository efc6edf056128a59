from datetime import datetime

from till_events.ids import PurchaseId
from till_events.loyalty import (
    Allocation,
    PointsAccrued,
    PointsRestored,
    PointsReversed,
    ReturnWithoutPoints,
    TierChanged,
)
from till_loyalty.domain.account import Account
from till_loyalty.domain.correcting import expire
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.redeeming import capture, hold_points
from till_loyalty.domain.returning import settle_return
from till_platform.testing import Given, happened

from .sentences import NOON, SPENDABLE, STORE, after_purchases, days, owned, programme, purchase, returned


def spend(given_: Given[Account], points: int, *, at: datetime = SPENDABLE, sale: str = "sale") -> None:
    hold_points(given_.aggregate, programme(), hold_id=f"h-{sale}", points=points, store_id=STORE, at=at)
    capture(given_.aggregate, f"h-{sale}", at=at, purchase_id=PurchaseId(sale))
    given_.aggregate.collect_events()


def test_returning_all_takes_back_all_it_earned() -> None:
    after_purchases(programme(), purchase(total=123_45)).when(
        lambda a: settle_return(a, returned(total=123_45), programme())
    ).then(happened(PointsReversed, points=123, allocations=(Allocation("r1", 123),), shortfall=0, spend_minor=123_45))


def test_returning_a_third_takes_back_a_third_in_the_customers_favour() -> None:
    after_purchases(programme(), purchase(total=100_00)).when(
        lambda a: settle_return(a, returned(total=33_33), programme())
    ).then(happened(PointsReversed, points=33))


def test_returning_in_steps_takes_back_exactly_what_was_earned() -> None:
    bought = after_purchases(programme(), purchase(total=10_01))
    for step, part in enumerate((3_33, 3_33, 3_35)):
        settle_return(bought.aggregate, returned(f"back-{step}", total=part), programme())
    assert [getattr(event, "points", None) for event in bought.aggregate.pending] == [3, 3, 4]
    assert owned(bought.aggregate) == 0


def test_a_return_slip_told_twice_counts_once() -> None:
    bought = after_purchases(programme(), purchase())
    bought.when(lambda a: settle_return(a, returned(total=10_00), programme())).then(happened(PointsReversed))
    bought.when(lambda a: settle_return(a, returned(total=10_00), programme())).then_nothing()


def test_a_return_without_receipt_only_lowers_the_spending() -> None:
    silver = after_purchases(programme(), purchase(total=500_00))
    silver.when(lambda a: settle_return(a, returned(total=1, of=None), programme())).then(
        happened(ReturnWithoutPoints, purchase_id=None, spend_minor=1),
        happened(TierChanged, from_tier="silver", to_tier="base", spend_minor=499_99),
    )


def test_a_return_of_what_earned_nothing_takes_nothing_back() -> None:
    small = after_purchases(programme(), purchase(total=99))
    small.when(lambda a: settle_return(a, returned(total=99), programme())).then(
        happened(ReturnWithoutPoints, purchase_id="r1", spend_minor=99)
    )


def test_a_return_lowers_the_spending_on_the_day_of_the_purchase() -> None:
    bought = after_purchases(programme(), purchase(total=600_00))
    late = NOON + days(364)
    bought.when(lambda a: settle_return(a, returned(total=600_00, at=late), programme())).then(
        happened(PointsReversed), happened(TierChanged, to_tier="base", spend_minor=0)
    )
    bought.when(lambda a: accrue(a, purchase("r2", total=500_00, at=NOON + days(366)), programme())).then(
        happened(PointsAccrued), happened(TierChanged, to_tier="silver", spend_minor=500_00)
    )


def test_points_already_spent_are_taken_from_other_points_pending_ones_first() -> None:
    bought = after_purchases(
        programme(), purchase("r1", 100_00), purchase("r2", 50_00), purchase("r3", 50_00, at=NOON + days(19))
    )
    spend(bought, 100)  # all of r1, it expires first
    bought.when(lambda a: settle_return(a, returned(at=NOON + days(21)), programme())).then(
        happened(PointsReversed, points=100, allocations=(Allocation("r3", 50), Allocation("r2", 50)), shortfall=0)
    )


def test_what_cannot_be_collected_stays_on_record_and_the_balance_at_zero() -> None:
    bought = after_purchases(programme(), purchase("r1", 100_00), purchase("r2", 10_00))
    spend(bought, 100)
    bought.when(lambda a: settle_return(a, returned(at=NOON + days(21)), programme())).then(
        happened(PointsReversed, points=100, allocations=(Allocation("r2", 10),), shortfall=90)
    )
    assert bought.aggregate.balance_at(NOON + days(21)) == 0
    bought.when(lambda a: accrue(a, purchase("r3", 40_00, at=NOON + days(22)), programme())).then(
        happened(PointsAccrued, points=40)
    )


def test_the_unlimited_policy_collects_the_rest_from_what_is_earned_later() -> None:
    unlimited = programme(return_policy="unlimited")
    bought = after_purchases(unlimited, purchase("r1", 100_00))
    spend(bought, 100)
    bought.when(lambda a: settle_return(a, returned(at=NOON + days(21)), unlimited)).then(
        happened(PointsReversed, points=100, allocations=(), shortfall=100)
    )
    bought.when(lambda a: accrue(a, purchase("r2", 40_00, at=NOON + days(22)), unlimited)).then(
        happened(PointsAccrued, points=40),
        happened(PointsReversed, return_id="back-1", purchase_id="r1", points=100, shortfall=60, spend_minor=0),
    )
    bought.when(lambda a: accrue(a, purchase("r3", 70_00, at=NOON + days(23)), unlimited)).then(
        happened(PointsAccrued, points=70),
        happened(PointsReversed, points=60, allocations=(Allocation("r3", 60),), shortfall=0),
    )
    bought.when(lambda a: accrue(a, purchase("r4", 70_00, at=NOON + days(24)), unlimited)).then(happened(PointsAccrued))
    assert owned(bought.aggregate) == 80


def test_the_pending_only_policy_never_touches_spendable_points() -> None:
    careful = programme(return_policy="only_pending")
    bought = after_purchases(careful, purchase("r1", 100_00), purchase("r2", 30_00, at=NOON + days(18)))
    bought.when(lambda a: settle_return(a, returned(at=NOON + days(20)), careful)).then(
        happened(PointsReversed, points=100, allocations=(Allocation("r2", 30),), shortfall=70)
    )
    assert bought.aggregate.balance_at(NOON + days(20)) == 100


def test_points_a_till_holds_are_not_taken_back() -> None:
    bought = after_purchases(programme(), purchase())
    hold_points(bought.aggregate, programme(), hold_id="h", points=80, store_id=STORE, at=NOON + days(20))
    bought.aggregate.collect_events()
    bought.when(lambda a: settle_return(a, returned(at=NOON + days(20)), programme())).then(
        happened(PointsReversed, points=100, allocations=(Allocation("r1", 20),), shortfall=80)
    )


def test_points_that_expired_unused_need_not_be_given_back() -> None:
    bought = after_purchases(programme(), purchase("r1", 100_00), purchase("r2", 100_00, at=NOON + days(300)))
    late = NOON + days(400)
    bought.when(lambda a: settle_return(a, returned("back-1", 50_00, at=late), programme())).then(
        happened(PointsReversed, points=0, allocations=(), shortfall=0)
    )
    expire(bought.aggregate, at=late)
    bought.aggregate.collect_events()
    bought.when(lambda a: settle_return(a, returned("back-2", 50_00, at=late), programme())).then(
        happened(PointsReversed, points=0, allocations=(), shortfall=0)
    )
    assert owned(bought.aggregate) == 100


def test_a_refund_in_points_goes_back_to_the_lots_they_came_from() -> None:
    bought = after_purchases(programme(), purchase("r1", 100_00), purchase("r2", 50_00, at=NOON + days(1)))
    spend(bought, 120, sale="r9")
    slip = returned(total=70, of="r9", at=NOON + days(21), refunds=[("points", 70)])
    bought.when(lambda a: settle_return(a, slip, programme())).then(
        happened(ReturnWithoutPoints, spend_minor=0),
        happened(
            PointsRestored,
            points=70,
            allocations=(Allocation("r2", 20), Allocation("r1", 50)),
            expired=0,
            return_id="back-1",
        ),
    )
    assert bought.aggregate.balance_at(NOON + days(21)) == 100


def test_points_come_back_once_however_often_the_slip_is_told() -> None:
    bought = after_purchases(programme(), purchase("r1", 100_00))
    spend(bought, 100, sale="r9")
    slip = returned(total=100, of="r9", at=NOON + days(21), refunds=[("points", 100)])
    settle_return(bought.aggregate, slip, programme())
    bought.aggregate.collect_events()
    bought.when(lambda a: settle_return(a, slip, programme())).then_nothing()


def test_never_more_points_come_back_than_were_spent() -> None:
    bought = after_purchases(programme(), purchase("r1", 100_00))
    spend(bought, 60, sale="r9")
    for number in ("back-1", "back-2"):
        slip = returned(number, total=50, of="r9", at=NOON + days(21), refunds=[("points", 50)])
        settle_return(bought.aggregate, slip, programme())
    assert owned(bought.aggregate) == 100


def test_points_whose_time_ran_out_meanwhile_come_back_worthless() -> None:
    bought = after_purchases(programme(), purchase("r1", 100_00))
    spend(bought, 100, sale="r9")
    slip = returned(total=100, of="r9", at=NOON + days(400), refunds=[("points", 100)])
    bought.when(lambda a: settle_return(a, slip, programme())).then(
        happened(ReturnWithoutPoints), happened(PointsRestored, points=100, expired=100)
    )
    assert bought.aggregate.balance_at(NOON + days(400)) == 0


def test_a_return_in_another_currency_moves_nothing() -> None:
    after_purchases(programme(), purchase()).when(
        lambda a: settle_return(a, returned(currency="PLN"), programme())
    ).then(happened(PointsReversed, points=0, spend_minor=0))
