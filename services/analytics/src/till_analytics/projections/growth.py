"""Sales against the period before."""

from dataclasses import dataclass

from till_analytics.domain.period import Change, Comparison
from till_analytics.projections.sales_report import By, Figures, sales_report
from till_analytics.projections.scope import Scope
from till_platform.projections.reads import Reads


@dataclass(frozen=True)
class Growth:
    """How one group did, in one currency. `receipts` is None where a receipt belongs to several groups."""

    key: str | None
    name: str | None
    currency: str
    net_minor: Change
    receipts: Change | None


async def sales_growth(reads: Reads, by: By, scope: Scope, comparison: Comparison) -> tuple[list[Growth], list[Growth]]:
    """Return growth by group, the largest gain first, and in total by currency. A group that sold in one period only is there too."""
    now = await sales_report(reads, by, scope)
    before = await sales_report(reads, by, scope.compared_with(comparison))
    groups = _compared(now.rows, before.rows)
    groups.sort(key=lambda growth: (-growth.net_minor.absolute, growth.key or "", growth.currency))
    totals = _compared(now.totals, before.totals)
    return groups, sorted(totals, key=lambda growth: growth.currency)


def _compared(now: list[Figures], before: list[Figures]) -> list[Growth]:
    names = {(row["key"], row["currency"]): row["name"] for row in (*before, *now)}
    sums_now, sums_before = _sums(now), _sums(before)
    none = (0, 0) if any(row["receipts"] is not None for row in (*now, *before)) else (0, None)
    return [
        _growth(key, currency, name, sums_now.get((key, currency), none), sums_before.get((key, currency), none))
        for (key, currency), name in names.items()
    ]


def _growth(
    key: str | None, currency: str, name: str | None, now: tuple[int, int | None], before: tuple[int, int | None]
) -> Growth:
    receipts = None if now[1] is None or before[1] is None else Change(now[1], before[1])
    return Growth(key, name, currency, Change(now[0], before[0]), receipts)


def _sums(rows: list[Figures]) -> dict[tuple[str | None, str], tuple[int, int | None]]:
    """Add up net sales and receipts by group and currency: a product has a row for each unit it is sold in."""
    sums: dict[tuple[str | None, str], tuple[int, int | None]] = {}
    for row in rows:
        place = (row["key"], row["currency"])
        net, receipts = sums.get(place, (0, None if row["receipts"] is None else 0))
        sums[place] = (
            net + row["sales_minor"] - row["refunds_minor"],
            None if receipts is None else receipts + row["receipts"],
        )
    return sums
