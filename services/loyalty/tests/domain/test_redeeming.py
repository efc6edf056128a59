from datetime import datetime, timedelta

import pytest

from till_events.ids import PurchaseId
from till_events.loyalty import (
    Allocation,
    PointsExpired,
    PointsHeld,
    PointsHoldReleased,
    PointsRedeemed,
    PointsRestored,
)
from till_loyalty.domain.account import Account
from till_loyalty.domain.correcting import expire
from till_loyalty.domain.errors import HoldExpired, HoldSettled, NotEnoughPoints, UnknownHold
from till_loyalty.domain.holds import Hold
from till_loyalty.domain.redeeming import capture, hold_of, hold_points, release, release_overdue
from till_loyalty.domain.returning import restore
from till_platform.domain import Invalid
from till_platform.testing import Given, happened

from .sentences import NOON, STORE, account, days, lot, owned, programme

A_QUARTER = timedelta(minutes=15)


def hold(a: Account, points: int, *, hold_id: str = "h1", at: datetime = NOON) -> Hold:
    return hold_points(a, programme(), hold_id=hold_id, points=points, store_id=STORE, at=at)


def holding(points: int = 60, of: int = 100) -> Given[Account]:
    held = account(lot("l1", of))
    hold(held.aggregate, points)
    held.aggregate.collect_events()
    return held


def test_a_hold_takes_what_expires_first_then_what_is_older_and_what_never_expires_last() -> None:
    lots = (
        lot("for-ever", 50, available_from=NOON - days(300)),
        lot("newer", 50, expires_at=NOON + days(9), available_from=NOON - days(5)),
        lot("older", 50, expires_at=NOON + days(9), available_from=NOON - days(6)),
        lot("soonest", 50, expires_at=NOON + days(1), available_from=NOON - days(1)),
    )
    account(*lots).when(lambda a: hold(a, 170)).then(
        happened(
            PointsHeld,
            points=170,
            value_minor=170,
            expires_at=NOON + A_QUARTER,
            allocations=(
                Allocation("soonest", 50),
                Allocation("older", 50),
                Allocation("newer", 50),
                Allocation("for-ever", 20),
            ),
        )
    )


def test_more_than_there_is_cannot_be_put_aside() -> None:
    account(lot("l1", 100)).when(lambda a: hold(a, 101)).then_refused(NotEnoughPoints, asked=101, available=100)


def test_what_one_till_holds_another_cannot_spend() -> None:
    holding(60).when(lambda a: hold(a, 41, hold_id="h2")).then_refused(NotEnoughPoints, available=40)
    holding(60).when(lambda a: hold(a, 40, hold_id="h2")).then(happened(PointsHeld))


def test_pending_and_expired_points_cannot_be_spent() -> None:
    lots = (lot("pending", 50, available_from=NOON + days(1)), lot("expired", 50, expires_at=NOON))
    account(*lots).when(lambda a: hold(a, 1)).then_refused(NotEnoughPoints, available=0)


def test_what_will_become_spendable_is_pending_and_what_is_spendable_is_not() -> None:
    both = account(lot("pending", 50, available_from=NOON + days(1)), lot("here", 7)).aggregate
    assert (both.pending_at(NOON), both.balance_at(NOON)) == (50, 7)
    assert (both.pending_at(NOON + days(1)), both.balance_at(NOON + days(1))) == (0, 57)


def test_a_lot_is_spendable_from_its_first_instant_to_the_one_before_its_last() -> None:
    brief = account(lot("l1", 5, available_from=NOON, expires_at=NOON + days(1))).aggregate
    instants = (NOON - timedelta(microseconds=1), NOON, NOON + days(1) - timedelta(microseconds=1), NOON + days(1))
    assert [brief.balance_at(at) for at in instants] == [0, 5, 5, 0]


@pytest.mark.parametrize("points", [0, -5])
def test_a_hold_needs_points(points: int) -> None:
    account(lot("l1", 100)).when(lambda a: hold(a, points)).then_refused(Invalid, field="points")


def test_the_same_hold_again_changes_nothing() -> None:
    holding().when(lambda a: hold(a, 60)).then_nothing()


def test_held_points_pay() -> None:
    holding(60).when(lambda a: capture(a, "h1", at=NOON, purchase_id=PurchaseId("r9"))).then(
        happened(PointsRedeemed, points=60, allocations=(Allocation("l1", 60),), value_minor=60, purchase_id="r9")
    )


def test_held_points_pay_once() -> None:
    held = holding(60)
    held.when(lambda a: capture(a, "h1", at=NOON)).then(happened(PointsRedeemed))
    held.when(lambda a: capture(a, "h1", at=NOON)).then_nothing()
    assert owned(held.aggregate) == 40


def test_an_expired_hold_cannot_pay() -> None:
    holding().when(lambda a: capture(a, "h1", at=NOON + A_QUARTER)).then_refused(HoldExpired)


def test_an_expired_hold_frees_its_points_before_anybody_says_so() -> None:
    held = holding(60)
    assert held.aggregate.balance_at(NOON) == 40
    assert held.aggregate.balance_at(NOON + A_QUARTER) == 100
    held.when(lambda a: hold(a, 100, hold_id="h2", at=NOON + A_QUARTER)).then(happened(PointsHeld))


def test_clocks_that_disagree_spend_no_point_twice() -> None:
    held = holding(100)
    hold(held.aggregate, 100, hold_id="h2", at=NOON + A_QUARTER)
    capture(held.aggregate, "h2", at=NOON + A_QUARTER)
    held.aggregate.collect_events()
    held.when(lambda a: capture(a, "h1", at=NOON)).then_refused(HoldExpired)
    assert owned(held.aggregate) == 0


def test_a_released_hold_frees_its_points() -> None:
    held = holding(60)
    held.when(lambda a: release(a, "h1", at=NOON)).then(happened(PointsHoldReleased, points=60, reason="cancelled"))
    assert held.aggregate.balance_at(NOON) == 100


def test_a_release_again_changes_nothing() -> None:
    held = holding()
    held.when(lambda a: release(a, "h1", at=NOON)).then(happened(PointsHoldReleased))
    held.when(lambda a: release(a, "h1", at=NOON)).then_nothing()


def test_released_points_cannot_be_captured_and_captured_ones_not_released() -> None:
    released, captured = holding(), holding()
    release(released.aggregate, "h1", at=NOON)
    capture(captured.aggregate, "h1", at=NOON)
    for held in (released, captured):
        held.aggregate.collect_events()
    released.when(lambda a: capture(a, "h1", at=NOON)).then_refused(HoldSettled, state="released")
    captured.when(lambda a: release(a, "h1", at=NOON)).then_refused(HoldSettled, state="captured")


def test_nobody_captures_or_releases_what_was_never_held() -> None:
    account().when(lambda a: capture(a, "h9", at=NOON)).then_refused(UnknownHold)
    account().when(lambda a: release(a, "h9", at=NOON)).then_refused(UnknownHold)


def test_the_end_of_a_hold_is_announced_for_the_time_it_ended() -> None:
    held = holding()
    held.when(lambda a: release_overdue(a, at=NOON)).then_nothing()
    held.when(lambda a: release_overdue(a, at=NOON + days(2))).then(
        happened(PointsHoldReleased, reason="expired", occurred_at=NOON + A_QUARTER)
    )
    held.when(lambda a: release_overdue(a, at=NOON + days(2))).then_nothing()


def test_held_points_that_run_out_of_time_may_still_pay_and_expire_only_if_they_do_not() -> None:
    midnight = NOON + timedelta(minutes=5)
    held = account(lot("l1", 100, expires_at=midnight))
    hold(held.aggregate, 60)
    held.aggregate.collect_events()
    held.when(lambda a: expire(a, at=midnight)).then(happened(PointsExpired, points=40, occurred_at=midnight))
    held.when(lambda a: expire(a, at=NOON + A_QUARTER)).then(happened(PointsExpired, points=60))

    paying = account(lot("l1", 100, expires_at=midnight))
    hold(paying.aggregate, 60)
    paying.aggregate.collect_events()
    paying.when(lambda a: capture(a, "h1", at=midnight)).then(happened(PointsRedeemed, points=60))


def test_an_undone_sale_gives_points_back_with_their_first_expiry() -> None:
    held = holding(60)
    capture(held.aggregate, "h1", at=NOON)
    held.aggregate.collect_events()
    held.when(lambda a: restore(a, hold_of(a, "h1"), 60, at=NOON)).then(
        happened(PointsRestored, points=60, allocations=(Allocation("l1", 60),), expired=0)
    )
    held.when(lambda a: restore(a, hold_of(a, "h1"), 60, at=NOON)).then_nothing()
    assert held.aggregate.balance_at(NOON) == 100
