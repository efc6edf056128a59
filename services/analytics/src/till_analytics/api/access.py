"""Who may read figures, and of which stores and days."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Query

from till_analytics.domain.period import Period
from till_analytics.projections.scope import Scope, days_loaded
from till_platform.clock import Clock
from till_platform.http import ClockDep, ReadsDep, Who, allow
from till_platform.projections.reads import Reads

READERS = ("analyst", "manager", "marketer", "auditor", "admin")

Reader = Annotated[Who, allow(*READERS)]
Publisher = Annotated[Who, allow("analyst", "admin")]
StoreIds = Annotated[
    list[str] | None, Query(alias="store_id", max_length=500, description="Only these stores; may be repeated.")
]
AsOf = Annotated[
    date | None, Query(description="Leave out every business day after this one; the last day loaded if not given.")
]


async def _stores(who: Reader, store_id: StoreIds = None) -> tuple[str, ...] | None:
    """The stores asked for, all of which the caller must reach; else the stores the caller reaches."""
    if store_id:
        for store in store_id:
            who.must_reach(store)
        return tuple(sorted(set(store_id)))
    reached = who.store_filter()
    return None if reached is None else tuple(reached)


Stores = Annotated[tuple[str, ...] | None, Depends(_stores)]


@dataclass(frozen=True)
class Asked:
    """What a report is asked to cover, and the last day there is anything of."""

    scope: Scope
    loaded_to: date | None


class Covering:
    """Reads from a request which days and stores it means. Without `from` and `to` it means all the days that `known` finds."""

    def __init__(self, known: Callable[[Reads], Awaitable[Period | None]]) -> None:
        self._known = known

    async def __call__(
        self,
        reads: ReadsDep,
        clock: ClockDep,
        stores: Stores,
        first: Annotated[
            date | None, Query(alias="from", description="First day; the first one loaded if not given.")
        ] = None,
        last: Annotated[
            date | None, Query(alias="to", description="Last day; the last one loaded if not given.")
        ] = None,
        as_of: AsOf = None,
    ) -> Asked:
        loaded = await self._known(reads)
        known = loaded or Period(clock.now().date(), clock.now().date())
        begin = first or min(day for day in (known.first, last, as_of) if day)
        end = last or max(begin, known.last)
        period = Period(begin, min(end, as_of) if as_of else end)
        return Asked(Scope(period, stores), loaded.last if loaded else None)


Covered = Annotated[Asked, Depends(Covering(days_loaded))]


async def day_or_last_loaded(as_of: date | None, reads: Reads, clock: Clock) -> date:
    """Return the day asked for, else the last business day loaded, else today."""
    if as_of is not None:
        return as_of
    loaded = await days_loaded(reads)
    return loaded.last if loaded else clock.now().date()
