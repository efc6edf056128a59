from datetime import UTC, date, datetime

from till_analytics.domain.customer_rank import CustomerRank, Score
from till_events.analytics import RfmScoreChanged
from till_platform.testing import given, happened

EVENING = datetime(2026, 11, 22, 22, tzinfo=UTC)
MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)


def score(r=5, f=4, m=4, group="champions", **others) -> Score:
    facts = {"recency_days": 1, "frequency": 12, "monetary_minor": 45_000} | others
    return Score(customer_id="c-1", currency="USD", r=r, f=f, m=m, group=group, **facts)


def ranked(as_of=MONDAY, model_version=1, previous_group=None, **others) -> RfmScoreChanged:
    fresh = CustomerRank(CustomerRank.stream("c-1"))
    fresh.rank(score(**others), as_of=as_of, model_version=model_version, at=EVENING)
    (event,) = fresh.pending
    assert isinstance(event, RfmScoreChanged)
    return event


def nobody() -> CustomerRank:
    return CustomerRank(CustomerRank.stream("c-1"))


def test_a_first_score_is_recorded_with_its_day_and_the_version_of_the_model() -> None:
    given(nobody()).when(lambda c: c.rank(score(), as_of=MONDAY, model_version=3, at=EVENING)).then(
        happened(
            RfmScoreChanged,
            customer_id="c-1",
            as_of=MONDAY,
            model_version=3,
            group="champions",
            previous_group=None,
            monetary_minor=45_000,
        )
    )


def test_a_customer_who_slips_is_recorded_with_the_group_they_came_from() -> None:
    given(nobody(), ranked()).when(
        lambda c: c.rank(score(r=4, group="loyal"), as_of=TUESDAY, model_version=1, at=EVENING)
    ).then(happened(RfmScoreChanged, group="loyal", previous_group="champions", r=4))


def test_scoring_the_same_day_again_changes_nothing() -> None:
    given(nobody(), ranked()).when(lambda c: c.rank(score(), as_of=MONDAY, model_version=1, at=EVENING)).then_nothing()


def test_another_day_at_the_same_rank_is_not_a_change() -> None:
    given(nobody(), ranked()).when(
        lambda c: c.rank(score(recency_days=2, frequency=13), as_of=TUESDAY, model_version=1, at=EVENING)
    ).then_nothing()


def test_a_new_model_that_ranks_the_customer_the_same_is_not_a_change() -> None:
    given(nobody(), ranked()).when(lambda c: c.rank(score(), as_of=TUESDAY, model_version=2, at=EVENING)).then_nothing()


def test_a_new_name_for_the_same_scores_is_a_change() -> None:
    given(nobody(), ranked()).when(
        lambda c: c.rank(score(group="vip"), as_of=TUESDAY, model_version=2, at=EVENING)
    ).then(happened(RfmScoreChanged, group="vip", previous_group="champions"))


def test_the_score_of_an_earlier_day_never_replaces_a_later_one() -> None:
    given(nobody(), ranked(as_of=TUESDAY)).when(
        lambda c: c.rank(score(r=1, group="dormant"), as_of=MONDAY, model_version=1, at=EVENING)
    ).then_nothing()


def test_a_customers_ranks_share_the_key_of_the_customer() -> None:
    rank = nobody()
    rank.rank(score(), as_of=MONDAY, model_version=1, at=EVENING)
    assert [recorded.key for recorded in rank.collect_events()] == ["c-1"]
