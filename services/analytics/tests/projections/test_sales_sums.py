from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from till_analytics.projections.customer_days import CUSTOMER_DAYS, customer_day_rows
from till_analytics.projections.sales import PRODUCT_SALES, RECEIPTS, TENDERS, SalesSums
from till_events.order import PurchaseRecorded, PurchaseReturned

from .receipts import cut_and_shuffled, days_of_trade


def folded(batches):
    """What the tables hold after these batches: every table adds up the figures of equal keys, as the database does."""
    tables = {}
    for batch in batches:
        sums = SalesSums()
        for event in batch:
            if isinstance(event, PurchaseRecorded):
                sums.sell(event)
            else:
                sums.take_back(event)
        for table, rows in [*sums.rows(), (CUSTOMER_DAYS, customer_day_rows(batch))]:
            totals = tables.setdefault(table.name, {})
            for row in rows:
                key, figures = row[: len(table.key)], row[len(table.key) :]
                before = totals.get(key, (0,) * len(figures))
                totals[key] = tuple(a + b for a, b in zip(before, figures, strict=True))
    return tables


def column_sum(tables, table, column, *, where=None):
    place = list(table.columns).index(column)
    named = list(table.columns)
    rows = [(*key, *figures) for key, figures in tables.get(table.name, {}).items()]
    return sum(row[place] for row in rows if where is None or where(dict(zip(named, row, strict=True))))


@given(st.data())
def test_the_same_trade_in_any_order_and_any_batches_gives_the_same_rows(data) -> None:
    events = data.draw(days_of_trade)
    batches = data.draw(cut_and_shuffled(events))
    tables = folded(batches)
    expected = folded([events])
    assert {name: rows for name, rows in tables.items() if rows} == {
        name: rows for name, rows in expected.items() if rows
    }


@given(days_of_trade)
def test_sales_and_refunds_equal_the_receipts_to_the_cent_in_every_currency_and_every_table(events) -> None:
    tables = folded([events])
    for currency in ("USD", "PLN"):
        sold = sum(e.total_minor for e in events if isinstance(e, PurchaseRecorded) and e.currency == currency)
        back = sum(e.total_minor for e in events if isinstance(e, PurchaseReturned) and e.currency == currency)

        def here(row, currency=currency):
            return row["currency"] == currency

        for table in (PRODUCT_SALES, RECEIPTS, TENDERS):
            assert column_sum(tables, table, "sales_minor", where=here) == sold
            assert column_sum(tables, table, "refunds_minor", where=here) == back


@given(days_of_trade)
def test_receipts_lines_quantities_and_returns_are_counted_and_none_is_lost(events) -> None:
    tables = folded([events])
    bought = [e for e in events if isinstance(e, PurchaseRecorded)]
    returned = [e for e in events if isinstance(e, PurchaseReturned)]
    lines = [line for e in bought for line in e.lines]
    assert column_sum(tables, RECEIPTS, "receipts") == len(bought)
    assert column_sum(tables, RECEIPTS, "returns") == len(returned)
    assert column_sum(tables, RECEIPTS, "lines") == column_sum(tables, PRODUCT_SALES, "lines") == len(lines)
    assert column_sum(tables, PRODUCT_SALES, "quantity") == sum(line.quantity for line in lines)
    assert column_sum(tables, PRODUCT_SALES, "discount_minor") == sum(
        discount.amount_minor for line in lines for discount in line.discounts
    )
    assert column_sum(tables, PRODUCT_SALES, "returned_quantity") == sum(
        line.quantity for e in returned for line in e.lines
    )


@given(days_of_trade)
def test_customers_days_hold_what_is_known_of_each_customer_and_nothing_anonymous(events) -> None:
    tables = folded([events])
    spent = Counter()
    for e in events:
        if e.customer_id is not None:
            spent[e.customer_id] += e.total_minor if isinstance(e, PurchaseRecorded) else -e.total_minor
    for customer in ("anna", "boris"):

        def theirs(row, customer=customer):
            return row["customer_id"] == customer

        sales = column_sum(tables, CUSTOMER_DAYS, "sales_minor", where=theirs)
        refunds = column_sum(tables, CUSTOMER_DAYS, "refunds_minor", where=theirs)
        assert sales - refunds == spent[customer]
    assert not [key for key in tables.get("days", {}) if key[0] is None]
