"""Anything that can happen to an account, in any order."""

from datetime import datetime, timedelta

from hypothesis import strategies as st

from till_loyalty.domain.account import Account
from till_loyalty.domain.correcting import adjust, expire
from till_loyalty.domain.earning import accrue
from till_loyalty.domain.programme import Programme
from till_loyalty.domain.redeeming import capture, hold_points, release
from till_loyalty.domain.returning import settle_return

from .sentences import NOON, STORE, purchase, returned

Step = tuple[str, str, int, datetime]

POLICIES = ("only_pending", "within_balance", "unlimited")
MOMENTS = st.integers(0, 800).map(lambda hours: NOON + timedelta(hours=hours))
AMOUNTS = st.integers(0, 400_00)
NAMES = st.integers(0, 6).map(str)
STEPS = st.one_of(
    st.tuples(st.just("buy"), NAMES, AMOUNTS, MOMENTS),
    st.tuples(st.just("return"), NAMES, AMOUNTS, MOMENTS),
    st.tuples(st.just("return for points"), NAMES, AMOUNTS, MOMENTS),
    st.tuples(st.just("hold"), NAMES, st.integers(1, 300), MOMENTS),
    st.tuples(st.just("capture"), NAMES, AMOUNTS, MOMENTS),
    st.tuples(st.just("release"), NAMES, AMOUNTS, MOMENTS),
    st.tuples(st.just("adjust"), NAMES, st.integers(-200, 200), MOMENTS),
    st.tuples(st.just("expire"), NAMES, AMOUNTS, MOMENTS),
)


def take_step(a: Account, p: Programme, step: Step, count: int) -> None:
    what, name, amount, at = step
    match what:
        case "buy":
            accrue(a, purchase(name, amount, at=at), p)
        case "return":
            settle_return(a, returned(f"slip {count}", amount, of=name, at=at), p)
        case "return for points":
            settle_return(a, returned(f"slip {count}", amount, of=name, at=at, refunds=[("points", amount)]), p)
        case "hold":
            hold_points(a, p, hold_id=name, points=amount, store_id=STORE, at=at)
        case "capture":
            capture(a, name, at=at, purchase_id=purchase(name).purchase_id)
        case "release":
            release(a, name, at=at)
        case "adjust":
            adjust(a, p, adjustment_id=f"adjustment {name}", points=amount, reason="test", at=at)
        case "expire":
            expire(a, at=at)
