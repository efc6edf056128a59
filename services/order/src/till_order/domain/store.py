"""The shops of the chain."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from till_events.ids import StoreId
from till_events.order import StoreOpened
from till_platform.domain import Aggregate, DomainError, Invalid

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)  # a till's clock may be wrong, but not by more


class UnknownStore(Invalid):
    """Nobody opened this store: without it a sale has neither a business day nor a currency."""

    code = "unknown-store"


class StoreConflict(DomainError):
    """A store of this id is open already, and is described otherwise."""

    code = "store-conflict"


class Store(Aggregate):
    """A shop: its name, the zone its days are counted in, and the money it takes. None of these ever changes."""

    kind = "store"
    opened: StoreOpened
    zone: ZoneInfo

    def open(self, *, name: str, zone: str, currency: str, country: str | None, now: datetime) -> None:
        """Open the store. Opening it again with the same description changes nothing; with another one raises `StoreConflict`."""
        _check_zone(zone)
        opened = StoreOpened(
            store_id=StoreId(self.identity), name=name, zone=zone, currency=currency, country=country, occurred_at=now
        )
        if not self.exists:
            self.record(opened)
            return
        differs = [field for field in ("name", "zone", "currency", "country") if _differ(self.opened, opened, field)]
        if differs:
            raise StoreConflict(f"store {self.identity} is open with another {', '.join(differs)}", differs=differs)

    def apply(self, event: object) -> None:
        if isinstance(event, StoreOpened):
            self.opened = event
            self.zone = ZoneInfo(event.zone)

    @property
    def currency(self) -> str:
        """The ISO 4217 code of the money the store takes."""
        return self.opened.currency

    def business_date(self, moment: datetime) -> date:
        """Return the store's own calendar day at `moment`."""
        return moment.astimezone(self.zone).date()

    def day_of(self, occurred_at: datetime, told: date | None, now: datetime) -> date:
        """Return the day on which something counts: the one the till told, else the store's own day at `occurred_at`.

        Raises `Invalid` for a time or day on which nobody can have sold anything yet.
        """
        if not _EARLIEST <= occurred_at <= now + _AHEAD:
            raise Invalid("occurred_at is more than a day ahead, or before anything was sold", field="occurred_at")
        day = told or self.business_date(occurred_at)
        if not _EARLIEST.date() <= day <= self.business_date(now) + _AHEAD:
            raise Invalid("business_date is more than a day ahead, or before anything was sold", field="business_date")
        return day


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (LookupError, ValueError, OSError) as error:
        raise Invalid(f"{zone!r} is not a time zone of the IANA database", field="zone") from error


def _differ(one: StoreOpened, other: StoreOpened, field: str) -> bool:
    return bool(getattr(one, field) != getattr(other, field))
