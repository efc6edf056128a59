from datetime import UTC, datetime, timedelta

from till_platform.domain import Invalid

CLOCK_AHEAD = timedelta(minutes=10)
FIRST_YEAR = 1900


def happened_at(stated: datetime | None, now: datetime) -> datetime:
    """Say when something happened that a till, a shop assistant or a list tells of: as stated, else now. Aware UTC.

    A clock a few minutes ahead counts as now: a consent dated in the future would outlive its own withdrawal. Raises `Invalid` for a time
    without a zone, further ahead than that, or before 1900.
    """
    if stated is None:
        return now
    if stated.tzinfo is None:
        raise Invalid("a time needs a zone, e.g. 2026-11-22T09:30:00Z", field="occurred_at")
    if stated.year <= FIRST_YEAR or stated > now + CLOCK_AHEAD:
        raise Invalid("this time cannot be right: it lies in the future or before 1900", field="occurred_at")
    return min(stated.astimezone(UTC), now)
