"""Whatever happens to an account, in whatever order: nothing is created, nothing is lost, nothing goes below zero."""

from datetime import timedelta

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from till_events.base import Event
from till_events.codec import decode, encode, type_of
from till_events.loyalty import (
    PointsReversed,
)
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.lots import total
from till_loyalty.domain.returning import settle_return
from till_loyalty.domain.spending import Spending
from till_loyalty.projections.movements import moved
from till_platform.domain import DomainError

from .sentences import NOON, account, owned, programme, purchase, returned
from .steps import POLICIES, STEPS, Step, take_step


@for_all(st.lists(STEPS, max_size=40), st.sampled_from(POLICIES), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_the_sum_of_the_ledger_is_what_the_lots_hold_and_nothing_is_ever_negative(
    steps: list[Step], policy: str, pending_days: int
) -> None:
    p = programme(return_policy=policy, pending_days=pending_days, validity_days=20)
    a = account().aggregate
    events: list[Event] = []
    for count, step in enumerate(steps):
        try:
            take_step(a, p, step, count)
        except DomainError:
            assert not a.pending, "a refusal records nothing"
        events += [recorded.event for recorded in a.collect_events()]
        assert owned(a) == sum(map(moved, events))
        assert all(0 <= lot.remaining <= lot.points for lot in a.lots.values())
        assert all(points >= 0 for _, points in a.free(a.lots.values(), step[3]))
    for event in events:
        if isinstance(event, PointsReversed):
            assert event.points == total(event.allocations) + event.shortfall
            assert event.points >= 0
            assert event.shortfall >= 0
    replayed = account(*[decode(type_of(event), encode(event)) for event in events]).aggregate
    assert [lot.remaining for lot in replayed.lots.values()] == [lot.remaining for lot in a.lots.values()]
    assert replayed.tier == a.tier


@for_all(st.integers(1, 50_000), st.lists(st.integers(1, 10_000), max_size=8))
@settings(deadline=None)
def test_returning_everything_in_any_steps_takes_back_everything(bought: int, parts: list[int]) -> None:
    a = account().aggregate
    accrue(a, purchase(total=bought), programme())
    left = bought
    for number, part in enumerate([*parts, bought]):
        step = min(part, left)
        left -= step
        settle_return(a, returned(f"slip {number}", step), programme())
    assert owned(a) == 0


@for_all(st.integers(0, 50_000), st.integers(0, 50_000))
@settings(deadline=None)
def test_a_return_may_arrive_before_its_purchase(bought: int, back: int) -> None:
    p = programme()
    in_order, early = account().aggregate, account().aggregate
    accrue(in_order, purchase(total=bought), p)
    settle_return(in_order, returned(total=back), p)
    settle_return(early, returned(total=back), p)
    accrue(early, purchase(total=bought), p)
    assert owned(in_order) == owned(early)


@for_all(
    st.lists(st.tuples(st.integers(0, 30), st.integers(-100, 100)), max_size=40), st.integers(0, 31), st.integers(0, 31)
)
def test_the_spending_of_a_window_is_the_sum_of_its_amounts(
    amounts: list[tuple[int, int]], since: int, until: int
) -> None:
    spending = Spending()
    for day, amount in amounts:
        spending.add(NOON + timedelta(days=day), amount)
    expected = sum(amount for day, amount in amounts if since <= day < until)
    window = spending.between(NOON + timedelta(days=since), NOON + timedelta(days=max(since, until)))
    assert window == max(0, expected)
