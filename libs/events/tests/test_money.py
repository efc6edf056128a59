from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_events.money import Money, allocate

TOTALS = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=30)


@given(TOTALS, WEIGHTS)
def test_the_parts_sum_to_the_cent(total, weights):
    assert sum(allocate(total, weights)) == total


@given(TOTALS, WEIGHTS.filter(any))
def test_every_part_is_within_one_cent_of_its_exact_share(total, weights):
    for part, weight in zip(allocate(total, weights), weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


@given(TOTALS, WEIGHTS)
def test_giving_back_is_the_mirror_image_of_taking(total, weights):
    assert allocate(-total, weights) == [-part for part in allocate(total, weights)]


@given(st.integers(0, 10**12), WEIGHTS.filter(any))
def test_who_weighs_more_never_gets_less(total, weights):
    parts = sorted(zip(weights, allocate(total, weights), strict=True))
    for (lighter, smaller), (heavier, larger) in pairwise(parts):
        assert smaller <= larger or lighter == heavier


def test_of_equals_the_first_get_what_is_left_over():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]
    assert allocate(5, [3, 0, 2]) == [3, 0, 2]


def test_without_any_weight_the_first_takes_everything():
    assert allocate(7, [0, 0]) == [7, 0]


@pytest.mark.parametrize("weights", [[], [-1, 2]])
def test_there_must_be_weights_and_none_below_zero(weights):
    with pytest.raises(ValueError, match="at least one weight"):
        allocate(1, weights)


def test_amounts_of_one_currency_add_up():
    assert Money(150, "PLN") + Money(50, "PLN") - Money(300, "PLN") == Money(-100, "PLN")


def test_amounts_of_two_currencies_do_not():
    with pytest.raises(ValueError, match="cannot add"):
        Money(1, "PLN") + Money(1, "EUR")
