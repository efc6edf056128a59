from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from till_analytics.domain.period import Period
from till_analytics.projections.growth import sales_growth
from till_analytics.projections.orders import orders_by
from till_analytics.projections.repeat_sales import repeat_sales
from till_analytics.projections.sales_report import sales_report
from till_analytics.projections.scope import Scope, days_loaded
from till_analytics.projections.signups import days_of_signups, signups_by
from till_analytics.projections.top_customers import top_customers
from till_analytics.projections.totals import grand_totals
from till_events.order import Line, OrderLinesChanged, OrderPlaced, OrderStatusChanged

from .trade import DAYS, DEPARTMENTS, FIRST, LAST, noon, trade

pytestmark = pytest.mark.integration
WHOLE = Scope(Period(FIRST, LAST))
TRADE = trade()

OF_RECEIPTS = {
    "store": lambda event: event.store_id,
    "day": lambda event: event.business_date.isoformat(),
    "week": lambda event: "{}-W{:02}".format(*event.business_date.isocalendar()[:2]),
    "month": lambda event: event.business_date.isoformat()[:7],
    "channel": lambda event: event.channel,
    "operator": lambda event: event.operator_id,
}
OF_PRODUCTS = {
    "product": lambda line: line.product_id,
    "department": lambda line: DEPARTMENTS.get(line.product_id),
    "brand": lambda line: "B" if line.product_id in DEPARTMENTS else None,
    "manufacturer": lambda line: "M" if line.product_id in DEPARTMENTS else None,
    "category": lambda _: None,
}


@pytest.fixture(scope="module")
def reads(figures):
    return figures.after(TRADE.events)


def nets(rows) -> Counter:
    found = Counter()
    for row in rows:
        found[row["key"], row["currency"]] += row["sales_minor"] - row["refunds_minor"]
    return found


def expected_nets(by) -> Counter:
    found = Counter()
    for event in TRADE.purchases + TRADE.returns:
        sign = 1 if event in TRADE.purchases else -1
        if by in OF_RECEIPTS:
            found[OF_RECEIPTS[by](event), event.currency] += sign * event.total_minor
        elif by == "payment":
            for tender in event.tenders if sign > 0 else event.refunds:
                found[tender.method, event.currency] += sign * tender.amount_minor
        else:
            for line in event.lines:
                found[OF_PRODUCTS[by](line), event.currency] += sign * (
                    line.paid_minor if sign > 0 else line.refund_minor
                )
    return found


@pytest.mark.parametrize("by", [*OF_RECEIPTS, "payment", *OF_PRODUCTS])
async def test_every_report_equals_the_receipts_less_returns_to_the_cent(reads, by) -> None:
    report = await sales_report(reads, by, WHOLE)
    assert nets(report.rows) == expected_nets(by)
    assert not report.more


@pytest.mark.parametrize("by", [*OF_RECEIPTS, "payment", *OF_PRODUCTS])
async def test_every_report_has_the_same_totals_however_few_rows_are_shown(reads, by) -> None:
    report = await sales_report(reads, by, WHOLE, limit=1)
    totals = {row["currency"]: row["sales_minor"] - row["refunds_minor"] for row in report.totals}
    grand = {row["currency"]: row["net_minor"] for row in await grand_totals(reads, WHOLE)}
    assert totals == grand
    assert len(report.rows) == 1
    assert report.more


async def test_money_of_two_currencies_is_never_added_up(reads) -> None:
    report = await sales_report(reads, "channel", WHOLE)
    assert {(row["key"], row["currency"]) for row in report.rows} == {
        (channel, currency) for channel in ("store", "web") for currency in ("USD", "PLN")
    }


async def test_days_come_in_their_order_and_stores_by_what_they_brought_in(reads) -> None:
    days = [row["key"] for row in (await sales_report(reads, "day", WHOLE)).rows]
    assert days == sorted(days)
    stores = [row["sales_minor"] - row["refunds_minor"] for row in (await sales_report(reads, "store", WHOLE)).rows]
    assert stores == sorted(stores, reverse=True)


async def test_a_report_for_some_stores_holds_nothing_of_the_others(reads) -> None:
    one = Scope(WHOLE.period, ("s2",))
    (usd,) = [row for row in (await sales_report(reads, "department", one)).totals if row["currency"] == "USD"]
    assert usd["sales_minor"] == sum(
        event.total_minor for event in TRADE.purchases if (event.store_id, event.currency) == ("s2", "USD")
    )
    nobody = await sales_report(reads, "store", Scope(WHOLE.period, ()))
    assert (nobody.rows, nobody.totals) == ([], [])


async def test_receipts_lines_and_their_tenders_come_to_the_same(reads) -> None:
    for row in await grand_totals(reads, WHOLE):
        assert row["net_minor"] == row["lines_net_minor"] == row["tenders_net_minor"]
        here = [event for event in TRADE.purchases if event.currency == row["currency"]]
        assert (row["receipts"], row["lines"]) == (len(here), sum(len(event.lines) for event in here))


async def test_growth_is_the_difference_of_two_reports(reads) -> None:
    july, august = (
        Scope(Period(date(2026, 7, 1), date(2026, 7, 31))),
        Scope(Period(date(2026, 8, 1), date(2026, 8, 31))),
    )
    before = nets((await sales_report(reads, "store", july)).rows)
    now = nets((await sales_report(reads, "store", august)).rows)
    groups, totals = await sales_growth(reads, "store", august, "previous")
    assert {(g.key, g.currency): g.net_minor.absolute for g in groups} == {
        place: now[place] - before[place] for place in now | before
    }
    assert sum(total.net_minor.absolute for total in totals) == now.total() - before.total()


async def test_what_sold_in_one_period_only_is_part_of_growth(figures) -> None:
    events = [event for event in TRADE.purchases if event.business_date.month == 8]
    first, last = date(2026, 8, 1), date(2026, 8, 31)
    only_now = await sales_growth(figures.after(events), "store", Scope(Period(first, last)), "previous")
    assert all(growth.net_minor.before == 0 and growth.net_minor.ratio is None for growth in only_now[0])
    only_before = await sales_growth(
        figures.reads, "store", Scope(Period(date(2026, 9, 1), date(2026, 10, 1))), "previous"
    )
    assert only_before[0]
    assert all(growth.net_minor.now == 0 for growth in only_before[0])
    figures.after(TRADE.events)


async def test_first_day_and_repeat_sales_and_unknown_customers_add_up_to_everything(reads) -> None:
    september = Scope(Period(date(2026, 9, 1), LAST))
    first_day: dict[str, date] = {}
    for event in TRADE.purchases:
        if event.customer_id:
            first_day[event.customer_id] = min(first_day.get(event.customer_id, date.max), event.business_date)
    for row in await repeat_sales(reads, september):
        here = [e for e in TRADE.purchases if e.currency == row["currency"] and e.business_date.month == 9]
        back = [e for e in TRADE.returns if e.currency == row["currency"] and e.business_date.month == 9]
        later = [e for e in here if e.customer_id and e.business_date > first_day[e.customer_id]]
        later_back = [e for e in back if e.customer_id and e.business_date > first_day[e.customer_id]]
        assert row["repeat_receipts"] == len(later)
        assert row["repeat_net_minor"] == sum(e.total_minor for e in later) - sum(e.total_minor for e in later_back)
        assert row["repeat_customers"] == len({e.customer_id for e in later})
        assert row["receipts"] + row["anonymous_receipts"] == len(here)
        assert row["net_minor"] + row["anonymous_net_minor"] == sum(e.total_minor for e in here) - sum(
            e.total_minor for e in back
        )


async def test_the_best_customers_are_those_who_spent_most_less_what_they_brought_back(reads) -> None:
    spent = Counter()
    for event in TRADE.purchases:
        spent[event.currency, event.customer_id] += event.total_minor
    for event in TRADE.returns:
        spent[event.currency, event.customer_id] -= event.total_minor
    rows = await top_customers(reads, WHOLE, limit=5)
    for currency in ("USD", "PLN"):
        ranked = sorted(((-net, who) for (cur, who), net in spent.items() if cur == currency and who))[:5]
        assert [(-row["net_minor"], row["customer_id"]) for row in rows if row["currency"] == currency] == ranked


async def test_any_day_reads_as_if_nothing_after_it_had_been_loaded(figures) -> None:
    day = FIRST + timedelta(days=DAYS // 2)
    scope = Scope(Period(FIRST, day))

    async def everything():
        rows = {
            by: (await sales_report(figures.reads, by, scope)).rows for by in (*OF_RECEIPTS, "payment", *OF_PRODUCTS)
        }
        return rows, await repeat_sales(figures.reads, scope), await top_customers(figures.reads, scope, limit=50)

    figures.after(TRADE.events)
    later = await everything()
    figures.after(TRADE.until(day).events)
    assert await everything() == later
    assert (await days_loaded(figures.reads)).last <= day
    figures.after(TRADE.events)


async def test_before_the_first_receipt_there_are_no_days(figures) -> None:
    assert await days_loaded(figures.after([])) is None
    assert (await sales_report(figures.reads, "store", WHOLE)).totals == []
    figures.after(TRADE.events)


async def test_registrations_are_counted_by_day_store_and_source(reads) -> None:
    days = await days_of_signups(reads)
    assert await signups_by(reads, "source", Scope(days)) == [{"key": "web", "customers": 41}]
    assert await signups_by(reads, "store", Scope(days, ("s2",))) == []
    (day,) = await signups_by(reads, "day", Scope(days))
    assert day == {"key": days.first.isoformat(), "customers": 41}


async def test_orders_are_counted_where_they_stand_with_what_was_added_to_them(figures) -> None:
    day = noon(FIRST)
    line = (Line(line_id=1, product_id="milk", quantity=Decimal(1), paid_minor=500),)

    def placed(order_id):
        return OrderPlaced(
            occurred_at=day,
            order_id=order_id,
            number=order_id,
            store_id="s1",
            channel="web",
            currency="USD",
            total_minor=500,
            lines=line,
            status="new",
            phase="new",
            workflow_id="default",
            workflow_version=1,
            operator_id="17",
        )

    def moved(order_id, to):
        return OrderStatusChanged(
            occurred_at=day,
            order_id=order_id,
            number=order_id,
            store_id="s1",
            from_status="new",
            to_status=to,
            from_phase="new",
            to_phase=to,
            workflow_version=1,
        )

    changed = OrderLinesChanged(
        occurred_at=day,
        order_id="o1",
        store_id="s1",
        lines=line,
        total_before_minor=500,
        total_after_minor=800,
        currency="USD",
    )
    events = [
        placed("o1"),
        placed("o2"),
        changed,
        moved("o1", "approval"),
        moved("o1", "completed"),
        moved("o2", "cancelled"),
    ]
    for size in (1, 2, 6):
        reads = figures.after(events, batch=size)
        rows = {row.pop("key"): row for row in await orders_by(reads, "phase", WHOLE)}
        assert set(rows) == {"completed", "cancelled"}
        assert (rows["completed"]["completed_minor"], rows["completed"]["upsold_minor"]) == (800, 300)
        (operator,) = await orders_by(reads, "operator", WHOLE)
        assert (operator["key"], operator["orders"], operator["completed"], operator["cancelled"]) == ("17", 2, 1, 1)
    figures.after(TRADE.events)
