from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from till_analytics.domain.default_model import DEFAULT_RANKING
from till_analytics.domain.rfm_model import Ranking, RfmModel, UnusableRfmModel
from till_events.analytics import RfmGroup, RfmModelPublished
from till_platform.testing import given, happened

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def model() -> RfmModel:
    return RfmModel(RfmModel.stream("default"))


def group(name, recency, value) -> RfmGroup:
    return RfmGroup(group=name, recency_from=recency[0], recency_to=recency[1], value_from=value[0], value_to=value[1])


PROSPECTS = group("prospects", (0, 0), (0, 0))


def published(ranking: Ranking, version: int = 1) -> RfmModelPublished:
    fresh = model()
    fresh.publish(ranking, NOON)
    (event,) = fresh.pending
    assert isinstance(event, RfmModelPublished)
    return RfmModelPublished(**{name: getattr(event, name) for name in event.__struct_fields__} | {"version": version})


def refused(ranking: Ranking, **facts) -> None:
    given(model()).when(lambda m: m.publish(ranking, NOON)).then_refused(UnusableRfmModel, **facts)


def test_the_default_model_has_eleven_groups_that_cover_the_grid_exactly_once() -> None:
    groups = DEFAULT_RANKING.groups
    assert len({g.group for g in groups}) == 11
    for r, v in [(0, 0), *product(range(1, 6), range(1, 6))]:
        holders = [g.group for g in groups if g.recency_from <= r <= g.recency_to and g.value_from <= v <= g.value_to]
        assert len(holders) == 1, (r, v, holders)


def test_the_first_model_is_version_one() -> None:
    given(model()).when(lambda m: m.publish(DEFAULT_RANKING, NOON)).then(
        happened(RfmModelPublished, version=1, model_id="default", currency="USD", window_days=365)
    )


def test_a_changed_model_is_the_next_version() -> None:
    given(model(), published(DEFAULT_RANKING)).when(
        lambda m: m.publish(replace(DEFAULT_RANKING, window_days=90), NOON)
    ).then(happened(RfmModelPublished, version=2, window_days=90))


def test_publishing_the_same_model_again_changes_nothing() -> None:
    given(model(), published(DEFAULT_RANKING)).when(lambda m: m.publish(DEFAULT_RANKING, NOON)).then_nothing()


def test_a_chain_may_set_its_own_cut_points_and_number_of_scores() -> None:
    ranking = Ranking(
        window_days=90,
        currency="PLN",
        recency_cuts=(30,),
        frequency_cuts=(2, 5),
        money_cuts=(10_000, 50_000),
        groups=(group("here", (2, 2), (1, 3)), group("gone", (1, 1), (1, 3)), PROSPECTS),
    )
    given(model()).when(lambda m: m.publish(ranking, NOON)).then(
        happened(RfmModelPublished, recency_cuts=(30,), frequency_cuts=(2, 5), money_cuts=(10_000, 50_000))
    )


def test_a_model_that_leaves_customers_without_a_group_is_refused_and_says_which() -> None:
    without_new = tuple(g for g in DEFAULT_RANKING.groups if g.group != "new")
    refused(replace(DEFAULT_RANKING, groups=without_new), field="groups", cells=[(5, 1), (5, 2)])


def test_a_model_that_forgets_those_who_never_bought_is_refused() -> None:
    buyers = tuple(g for g in DEFAULT_RANKING.groups if g.group != "prospects")
    refused(replace(DEFAULT_RANKING, groups=buyers), cells=[(0, 0)])


def test_a_model_that_gives_a_customer_two_groups_is_refused_and_says_where() -> None:
    groups = (*DEFAULT_RANKING.groups, group("best", (5, 5), (5, 5)))
    refused(replace(DEFAULT_RANKING, groups=groups), cells=[(5, 5)])


@pytest.mark.parametrize("recency", [(6, 9), (3, 2)])
def test_a_group_nobody_can_be_in_is_refused(recency) -> None:
    groups = (*DEFAULT_RANKING.groups, group("nobody", recency, (1, 5)))
    refused(replace(DEFAULT_RANKING, groups=groups), groups=["nobody"])


@pytest.mark.parametrize("name", ["loyal", ""])
def test_groups_have_names_of_their_own(name) -> None:
    renamed = (group(name, (5, 5), (4, 5)), *DEFAULT_RANKING.groups[1:])
    refused(replace(DEFAULT_RANKING, groups=renamed), field="groups")


@pytest.mark.parametrize(
    ("field", "cuts"),
    [
        ("recency_cuts", (30, 7, 90, 180)),
        ("recency_cuts", (-1, 7, 90, 180)),
        ("frequency_cuts", (0, 2, 5, 9)),
        ("frequency_cuts", (2, 2, 5, 9)),
        ("money_cuts", (100, 50, 200, 300)),
    ],
)
def test_cut_points_rise_and_make_sense(field, cuts) -> None:
    refused(replace(DEFAULT_RANKING, **{field: cuts}), field=field)


def test_frequency_and_money_have_equally_many_scores_so_that_their_mean_means_something() -> None:
    refused(replace(DEFAULT_RANKING, money_cuts=(100, 200)), field="money_cuts")


def test_the_window_is_at_least_a_day() -> None:
    refused(replace(DEFAULT_RANKING, window_days=0), field="window_days")
