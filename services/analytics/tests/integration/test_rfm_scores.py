from dataclasses import replace
from datetime import date, timedelta

import pytest

from till_analytics.domain.default_model import DEFAULT_RANKING
from till_analytics.domain.rfm_model import Ranking
from till_analytics.projections.rfm_scores import rfm_groups, rfm_scores
from till_events.analytics import RfmGroup

from .trade import DAYS, FIRST, LAST, trade

pytestmark = pytest.mark.integration
TRADE = trade()
MIDDLE = FIRST + timedelta(days=DAYS // 2)
CUTS = replace(
    DEFAULT_RANKING, recency_cuts=(5, 15, 30, 60), frequency_cuts=(2, 4, 8, 16), money_cuts=(500, 2_000, 8_000, 20_000)
)


@pytest.fixture(scope="module")
def reads(figures):
    return figures.after(TRADE.events)


def measures(ranking: Ranking, as_of: date) -> dict[str, tuple[int, int, int]]:
    """Days since the last receipt, receipts and money in the window: the plain way, customer by customer."""
    bought = [
        e for e in TRADE.purchases if e.customer_id and e.currency == ranking.currency and e.business_date <= as_of
    ]
    back = [e for e in TRADE.returns if e.customer_id and e.currency == ranking.currency and e.business_date <= as_of]
    start = as_of - timedelta(days=ranking.window_days)
    found = {}
    for customer in {e.customer_id for e in bought}:
        theirs = [e for e in bought if e.customer_id == customer]
        recent = [e for e in theirs if e.business_date > start]
        refunds = sum(e.total_minor for e in back if e.customer_id == customer and e.business_date > start)
        days = (as_of - max(e.business_date for e in theirs)).days
        found[customer] = (days, len(recent), sum(e.total_minor for e in recent) - refunds)
    return found


def by_shares(value: int, everybody: list[int]) -> int:
    return 1 + 5 * sum(other < value for other in everybody) // len(everybody)


def expected(ranking: Ranking, as_of: date) -> dict[str, tuple]:
    found = measures(ranking, as_of)
    present = [m for m in found.values() if m[1] > 0]
    scored = {}
    for customer, (days, receipts, money) in found.items():
        if receipts == 0:
            scores = (1, 1, 1)
        elif ranking.recency_cuts:
            scores = (
                5 - sum(cut < days for cut in ranking.recency_cuts),
                1 + sum(cut <= receipts for cut in ranking.frequency_cuts),
                1 + sum(cut <= money for cut in ranking.money_cuts),
            )
        else:
            fresher = sum(other[0] < days for other in present)
            scores = (
                5 - 5 * fresher // len(present),
                by_shares(receipts, [m[1] for m in present]),
                by_shares(money, [m[2] for m in present]),
            )
        scored[customer] = (days, receipts, money, *scores)
    return scored


@pytest.mark.parametrize("ranking", [DEFAULT_RANKING, CUTS, replace(DEFAULT_RANKING, window_days=14)])
@pytest.mark.parametrize("as_of", [MIDDLE, LAST, LAST + timedelta(days=40)])
async def test_customers_are_scored_by_their_receipts_less_refunds_as_of_a_day(reads, ranking, as_of) -> None:
    rows = await rfm_scores(reads, ranking, as_of, buyers_only=True)
    assert {
        row["customer_id"]: tuple(row[name] for name in ("recency_days", "frequency", "monetary_minor", "r", "f", "m"))
        for row in rows
    } == expected(ranking, as_of)


async def test_every_customer_is_in_exactly_the_group_of_their_scores(reads) -> None:
    rows = await rfm_scores(reads, DEFAULT_RANKING, LAST)
    assert len({row["customer_id"] for row in rows}) == len(rows)
    for row in rows:
        value = (row["f"] + row["m"] + 1) // 2
        (group,) = [
            g.group
            for g in DEFAULT_RANKING.groups
            if g.recency_from <= row["r"] <= g.recency_to and g.value_from <= value <= g.value_to
        ]
        assert row["group"] == group


async def test_who_registered_and_never_bought_is_a_prospect(reads) -> None:
    (looker,) = await rfm_scores(reads, DEFAULT_RANKING, LAST, customer_id="looker")
    assert (looker["group"], looker["recency_days"], looker["r"]) == ("prospects", None, 0)
    assert await rfm_scores(reads, DEFAULT_RANKING, FIRST - timedelta(days=60), customer_id="looker") == []


async def test_a_day_reads_the_same_when_more_was_loaded_since(figures) -> None:
    figures.after(TRADE.events)
    later = await rfm_scores(figures.reads, DEFAULT_RANKING, MIDDLE)
    then = await rfm_scores(figures.after(TRADE.until(MIDDLE).events), DEFAULT_RANKING, MIDDLE)
    assert then == later
    figures.after(TRADE.events)


async def test_equal_customers_have_equal_scores(reads) -> None:
    rows = await rfm_scores(reads, DEFAULT_RANKING, LAST, buyers_only=True)
    for measure, score in (("recency_days", "r"), ("frequency", "f"), ("monetary_minor", "m")):
        scores = {}
        for row in rows:
            assert scores.setdefault(row[measure], row[score]) == row[score]


async def test_pages_hold_everybody_once_in_order(reads) -> None:
    everybody = await rfm_scores(reads, DEFAULT_RANKING, LAST)
    paged, after = [], None
    while page := await rfm_scores(reads, DEFAULT_RANKING, LAST, after=after, limit=7):
        paged += page
        after = page[-1]["customer_id"]
    assert paged == everybody


async def test_groups_add_up_to_the_customers_and_empty_groups_are_there(reads) -> None:
    everybody = await rfm_scores(reads, DEFAULT_RANKING, LAST)
    groups = await rfm_groups(reads, DEFAULT_RANKING, LAST)
    assert [row["group"] for row in groups] == [group.group for group in DEFAULT_RANKING.groups]
    assert sum(row["customers"] for row in groups) == len(everybody)
    assert sum(row["monetary_minor"] for row in groups) == sum(row["monetary_minor"] for row in everybody)
    for row in groups:
        members = await rfm_scores(reads, DEFAULT_RANKING, LAST, group=row["group"])
        assert len(members) == row["customers"]


async def test_a_store_ranks_its_customers_by_what_it_knows_of_them(reads) -> None:
    rows = await rfm_scores(reads, DEFAULT_RANKING, LAST, stores=("s2",), buyers_only=True)
    here = {e.customer_id for e in TRADE.purchases if (e.store_id, e.currency) == ("s2", "USD") and e.customer_id}
    assert {row["customer_id"] for row in rows} == here
    assert await rfm_scores(reads, DEFAULT_RANKING, LAST, stores=()) == []


async def test_a_chain_with_three_scores_of_its_own_is_ranked_by_them(reads) -> None:
    def group(name, recency, value):
        return RfmGroup(
            group=name, recency_from=recency[0], recency_to=recency[1], value_from=value[0], value_to=value[1]
        )

    ranking = Ranking(
        window_days=90,
        currency="USD",
        recency_cuts=(20,),
        frequency_cuts=(3, 6),
        money_cuts=(1_000, 5_000),
        groups=(group("here", (2, 2), (1, 3)), group("gone", (1, 1), (1, 3)), group("never", (0, 0), (0, 0))),
    )
    ranking.check()
    for row in await rfm_scores(reads, ranking, LAST, buyers_only=True):
        assert row["group"] == ("here" if row["recency_days"] <= 20 and row["frequency"] else "gone")
