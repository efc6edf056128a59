from typing import Any

import pytest

from till_events.loyalty import ProgramRulesPublished, TierRule
from till_loyalty.domain.defaults import RULES
from till_loyalty.domain.programme import MAIN, Programme
from till_platform.domain import Invalid
from till_platform.testing import given, happened

from .sentences import NOON, days, programme, published, rules


def publish(p: Programme, **changes: Any) -> None:
    p.publish(name="Club", rules=rules(**changes), effective_from=NOON, at=NOON)


def tier(name: str, threshold: int, rate: int = 100) -> TierRule:
    return TierRule(tier=name, threshold_minor=threshold, earn_minor_per_point=rate)


def test_the_first_rules_of_a_programme_are_version_one_and_the_next_ones_two() -> None:
    fresh = given(Programme(Programme.stream(MAIN)))
    fresh.when(publish).then(happened(ProgramRulesPublished, programme_id=MAIN, version=1, rules=RULES))
    fresh.when(publish).then(happened(ProgramRulesPublished, version=2))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tiers": ()}, "tiers"),
        ({"tiers": (tier("base", 100),)}, "tiers"),
        ({"tiers": (tier("base", 0), tier("silver", 0))}, "tiers"),
        ({"tiers": (tier("base", 0), tier("gold", 900), tier("silver", 500))}, "tiers"),
        ({"tiers": (tier("base", 0), tier("base", 500))}, "tiers"),
        ({"tiers": (tier(" ", 0),)}, "tiers"),
        ({"tiers": (tier("base", 0, rate=0),)}, "tiers"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"currency": "usd"}, "currency"),
        ({"pending_days": -1}, "pending_days"),
        ({"validity_days": 14}, "validity_days"),
        ({"validity_days": 10**9}, "validity_days"),
        ({"tier_window_days": 0}, "tier_window_days"),
        ({"hold_minutes": 0}, "hold_minutes"),
        ({"point_value_minor": 0}, "point_value_minor"),
        ({"return_policy": "generous"}, "return_policy"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(changes: dict[str, Any], field: str) -> None:
    given(Programme(Programme.stream(MAIN))).when(lambda p: publish(p, **changes)).then_refused(Invalid, field=field)


def test_a_programme_has_a_name() -> None:
    given(Programme(Programme.stream(MAIN))).when(
        lambda p: p.publish(name=" ", rules=RULES, effective_from=NOON, at=NOON)
    ).then_refused(Invalid, field="name")


def test_the_latest_to_have_begun_is_in_force_whatever_the_order_of_publishing() -> None:
    mixed = programme(
        published(1, NOON - days(10)), published(2, NOON + days(10)), published(3, NOON), published(4, NOON)
    )
    times = (NOON - days(99), NOON - days(5), NOON, NOON + days(10))
    assert [mixed.rules_at(at).version for at in times] == [1, 1, 4, 2]


def test_the_default_rules_are_sound() -> None:
    given(Programme(Programme.stream(MAIN))).when(publish).then(happened(ProgramRulesPublished))
