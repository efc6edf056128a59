"""What the analytics service records: how customers are scored, and the scores."""

from datetime import date

from msgspec import Struct

from till_events.base import Event, Whole, published
from till_events.ids import CustomerId
from till_events.money import Currency, Minor


class RfmGroup(Struct, frozen=True, kw_only=True):
    """A named group of customers: those whose recency score and frequency-and-money score both lie in the ranges, bounds included."""

    group: str
    recency_from: Whole
    recency_to: Whole
    value_from: Whole
    value_to: Whole


@published(by="analytics")
class RfmModelPublished(Event, frozen=True, kw_only=True):
    """The chain decided how it ranks customers by recency, frequency and money.

    The cut points split each measure into scores 1 to `len(cuts) + 1`: recency in days (fewer is better), frequency in receipts, money in
    minor units, over the `window_days` before the day of scoring. Without cut points a measure is split into
    five equal shares of customers.
    """

    model_id: str
    version: Whole
    window_days: Whole
    currency: Currency
    groups: tuple[RfmGroup, ...]
    recency_cuts: tuple[Whole, ...] = ()
    frequency_cuts: tuple[Whole, ...] = ()
    money_cuts: tuple[Minor, ...] = ()


@published(by="analytics")
class RfmScoreChanged(Event, frozen=True, kw_only=True):
    """A customer's rank changed: how recently (days), how often (receipts) and for how much (less returns) they bought, as of a day."""

    customer_id: CustomerId
    as_of: date
    recency_days: Whole
    frequency: Whole
    monetary_minor: Minor
    currency: Currency
    r: Whole
    f: Whole
    m: Whole
    group: str
    model_version: Whole
    previous_group: str | None = None
