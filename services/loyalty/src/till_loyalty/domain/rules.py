"""One version of a programme's rules, and the questions a purchase asks of it. Pure arithmetic on calendar days and minor units."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from till_events.loyalty import ProgramRulesPublished, TierRule
from till_events.order import PurchaseRecorded, Tender
from till_platform.domain import Invalid

POINTS = "points"
"""The tender that is paid with points. It is never spending, whatever the programme excludes from earning."""


class Rules:
    """How points are earned, kept and lost from some day on."""

    __slots__ = ("_excludes", "_thresholds", "_tiers", "effective_from", "programme_id", "terms", "version", "zone")

    def __init__(self, published: ProgramRulesPublished) -> None:
        self.programme_id = published.programme_id
        self.version = published.version
        self.effective_from = published.effective_from
        self.terms = published.rules
        self.zone = ZoneInfo(published.rules.zone)
        self._tiers = {tier.tier: tier for tier in published.rules.tiers}
        self._thresholds = [tier.threshold_minor for tier in published.rules.tiers]
        self._excludes = frozenset((*published.rules.earning_excludes, POINTS))

    def local_day(self, at: datetime) -> date:
        """Return the calendar day of `at` where the programme lives. Raises `Invalid` for years no shop has seen or will see."""
        if not 1970 <= at.year < 2200:
            raise Invalid(f"{at.year} is not a year of this programme", field="occurred_at")
        return at.astimezone(self.zone).date()

    def available_from(self, day: date, at: datetime) -> datetime:
        """Return when points earned `at` this day may be spent: after `pending_days` whole days; at once if there are none."""
        return end_of_day(self.zone, day, self.terms.pending_days) if self.terms.pending_days else at

    def expires_at(self, day: date) -> datetime:
        """Return when points earned this day become worthless: at the end of their last local day."""
        return end_of_day(self.zone, day, self.terms.validity_days)

    def window(self, day: date) -> tuple[date, datetime, datetime]:
        """Return the first day of the tier window that ends on `day`, the instant it begins and the instant it ends."""
        days = self.terms.tier_window_days
        return day - timedelta(days=days - 1), end_of_day(self.zone, day, -days), end_of_day(self.zone, day, 0)

    def tier(self, name: str) -> TierRule | None:
        """Return the level of this name, if these rules still have it."""
        return self._tiers.get(name)

    def tier_for(self, spend_minor: int) -> TierRule:
        """Return the level that this much spending in the window reaches."""
        return self.terms.tiers[max(0, bisect_right(self._thresholds, spend_minor) - 1)]

    @property
    def lowest_tier(self) -> TierRule:
        """The level everybody starts on."""
        return self.terms.tiers[0]

    def basis_of(self, purchase: PurchaseRecorded) -> int:
        """Return the part of a purchase that earns points: what was paid, less the tenders that earn nothing."""
        if purchase.currency != self.terms.currency:
            return 0  # without a rate of exchange there is nothing honest to earn on
        return max(0, purchase.total_minor - _paid_by(purchase.tenders, self._excludes))

    def spend_of(self, purchase: PurchaseRecorded) -> int:
        """Return what a purchase counts towards the next level: all of it but what points paid for."""
        if purchase.currency != self.terms.currency:
            return 0
        return max(0, purchase.total_minor - _paid_by(purchase.tenders, frozenset((POINTS,))))


def _paid_by(tenders: tuple[Tender, ...], methods: frozenset[str]) -> int:
    return sum(tender.amount_minor for tender in tenders if tender.method in methods)


@lru_cache(maxsize=4096)
def end_of_day(zone: ZoneInfo, day: date, days_later: int) -> datetime:
    """Return the UTC instant at which the local day `days_later` after `day` is over.

    Where clocks skip midnight, that is the moment they skip it.
    """
    midnight = datetime.combine(day + timedelta(days=days_later + 1), datetime.min.time(), tzinfo=zone)
    return midnight.astimezone(UTC)
