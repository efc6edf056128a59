from datetime import UTC, date, datetime, timedelta

import pytest

from till_events.order import ProductChanged, ProductListed, StoreOpened
from till_order.domain.product import Description, Product
from till_order.domain.store import Store, StoreConflict
from till_platform.domain import Invalid
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def open_store(zone: str = "America/New_York", currency: str = "USD"):
    return lambda s: s.open(name="Main Street", zone=zone, currency=currency, country="US", now=NOW)


def opened(zone: str = "America/New_York") -> Store:
    store = Store("store-s-1")
    open_store(zone)(store)
    store.collect_events()
    return store


def test_opening_a_store() -> None:
    given(Store("store-s-1")).when(open_store()).then(
        happened(StoreOpened, store_id="s-1", name="Main Street", zone="America/New_York", currency="USD", country="US")
    )


def test_opening_a_store_again_changes_nothing() -> None:
    given(opened()).when(open_store()).then_nothing()


def test_a_store_described_otherwise_is_a_conflict() -> None:
    given(opened()).when(open_store("Europe/Warsaw", "PLN")).then_refused(StoreConflict, differs=["zone", "currency"])


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "Europe", "../../etc/passwd", "/etc/passwd", "Mars\x00"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    given(Store("store-s-1")).when(open_store(zone)).then_refused(Invalid, field="zone")


def test_a_sale_late_in_the_evening_counts_for_the_stores_own_day() -> None:
    assert opened().business_date(datetime(2026, 11, 22, 3, 0, tzinfo=UTC)) == date(2026, 11, 21)
    assert opened("Asia/Vladivostok").business_date(datetime(2026, 11, 21, 20, 0, tzinfo=UTC)) == date(2026, 11, 22)


def test_the_day_the_till_told_counts_else_the_stores_own() -> None:
    late = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert opened().day_of(late, None, NOW) == date(2026, 11, 21)
    assert opened().day_of(late, date(2026, 11, 22), NOW) == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("occurred_at", "told", "field"),
    [
        (NOW + timedelta(days=1, seconds=1), None, "occurred_at"),
        (datetime(1969, 12, 31, tzinfo=UTC), None, "occurred_at"),
        (NOW, date(2026, 11, 24), "business_date"),
        (NOW, date(1969, 12, 31), "business_date"),
    ],
)
def test_nobody_has_sold_anything_in_times_to_come_or_before_there_were_tills(
    occurred_at: datetime, told: date | None, field: str
) -> None:
    assert opened().day_of(NOW + timedelta(days=1), date(2026, 11, 23), NOW) == date(2026, 11, 23)
    given(opened()).when(lambda s: s.day_of(occurred_at, told, NOW)).then_refused(Invalid, field=field)


MILK = Description(name="Milk 1 l", department="DAIRY", size="1 l")


def listed() -> Product:
    product = Product("product-p-1")
    product.describe(MILK, NOW)
    product.collect_events()
    return product


def test_a_product_is_listed_once() -> None:
    given(Product("product-p-1")).when(lambda p: p.describe(MILK, NOW)).then(
        happened(ProductListed, product_id="p-1", name="Milk 1 l", department="DAIRY", size="1 l")
    )
    given(listed()).when(lambda p: p.describe(MILK, NOW)).then_nothing()


def test_a_product_described_anew_carries_its_whole_description() -> None:
    given(listed()).when(lambda p: p.describe(Description(name="Milk 1.5 l", department="DAIRY"), NOW)).then(
        happened(ProductChanged, product_id="p-1", name="Milk 1.5 l", department="DAIRY", size=None)
    )
