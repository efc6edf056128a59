from datetime import UTC, datetime

import pytest

from till_events.loyalty import Allocation, PointsAdjusted, PointsExpired
from till_loyalty.domain.account import Account
from till_loyalty.domain.correcting import adjust, expire
from till_loyalty.domain.errors import NotEnoughPoints
from till_platform.domain import Invalid
from till_platform.testing import happened

from .sentences import NOON, account, days, lot, programme


def correct(a: Account, points: int, *, reason: str = "goodwill", adjustment_id: str = "adj") -> None:
    adjust(a, programme(), adjustment_id=adjustment_id, points=points, reason=reason, at=NOON)


def test_points_given_by_hand_are_spendable_at_once_and_live_as_long_as_others() -> None:
    given_ = account()
    given_.when(lambda a: correct(a, 50)).then(
        happened(
            PointsAdjusted,
            points=50,
            allocations=(Allocation("adj", 50),),
            available_from=NOON,
            expires_at=datetime(2025, 3, 2, 5, 0, tzinfo=UTC),
        )
    )
    assert given_.aggregate.balance_at(NOON) == 50


def test_points_taken_by_hand_come_from_what_expires_first_and_from_pending_ones_last() -> None:
    lots = (
        lot("pending", 50, available_from=NOON + days(1), expires_at=NOON + days(2)),
        lot("later", 50, expires_at=NOON + days(9)),
        lot("sooner", 50, expires_at=NOON + days(5)),
    )
    account(*lots).when(lambda a: correct(a, -120)).then(
        happened(
            PointsAdjusted,
            points=-120,
            allocations=(Allocation("sooner", 50), Allocation("later", 50), Allocation("pending", 20)),
        )
    )


def test_more_than_there_is_cannot_be_taken() -> None:
    account(lot("l1", 10)).when(lambda a: correct(a, -11)).then_refused(NotEnoughPoints, available=10)


def test_a_correction_told_twice_counts_once() -> None:
    given_ = account()
    given_.when(lambda a: correct(a, 50)).then(happened(PointsAdjusted))
    given_.when(lambda a: correct(a, 50)).then_nothing()


@pytest.mark.parametrize(
    ("points", "reason", "field"), [(0, "x", "points"), (5, "  ", "reason"), (10**12, "x", "points")]
)
def test_a_correction_has_points_and_a_reason(points: int, reason: str, field: str) -> None:
    account().when(lambda a: correct(a, points, reason=reason)).then_refused(Invalid, field=field)


def test_expiry_is_announced_once_for_the_time_it_happened_oldest_first() -> None:
    lots = (
        lot("second", 20, expires_at=NOON - days(1)),
        lot("first", 10, expires_at=NOON - days(2)),
        lot("alive", 30, expires_at=NOON + days(1)),
    )
    given_ = account(*lots)
    given_.when(lambda a: expire(a, at=NOON)).then(
        happened(PointsExpired, lot_id="first", points=10, occurred_at=NOON - days(2)),
        happened(PointsExpired, lot_id="second", points=20, expires_at=NOON - days(1)),
    )
    given_.when(lambda a: expire(a, at=NOON)).then_nothing()


def test_expiry_is_announced_in_portions() -> None:
    lots = [lot(f"l{number}", 1, expires_at=NOON) for number in range(5)]
    given_ = account(*lots)
    assert len(given_.when(lambda a: expire(a, at=NOON, most=3)).events) == 3
    assert len(given_.when(lambda a: expire(a, at=NOON, most=3)).events) == 2
