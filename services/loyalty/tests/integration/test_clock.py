"""What the clock does to points, announced by the service's jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from till_loyalty.reactions.when_time_passes import announce_expiry, release_overdue_holds, review_tiers
from till_platform.clock import Clock
from till_platform.parts import Parts, open_parts
from till_platform.settings import Settings
from till_platform.testing.infra import Infra
from till_platform.testing.running import eventually

from .shop import Shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


class Ahead(Clock):
    """A clock that is ahead of ours."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by


@asynccontextmanager
async def later(shop: Shop, infra: Infra, **by: int) -> AsyncIterator[Parts]:
    """Open the service's parts some time from now."""
    settings = Settings.read(
        service="loyalty", environment="local", pg=shop.loyalty.pg, kafka=infra.kafka, redis=infra.redis
    )
    async with open_parts(settings, Ahead(timedelta(**by))) as parts:
        yield parts


def kinds(shop: Shop, card: str) -> list[str]:
    account = shop.ask(card)["account_id"]
    return [entry["kind"] for entry in shop.till().get(f"/v1/accounts/{account}/ledger").json()["items"]]


async def test_the_end_of_a_hold_is_announced_once(shop: Shop, infra: Infra) -> None:
    card = shop.somebody(points=100)
    held = shop.hold(card, 60).json()
    eventually(lambda: shop.ask(card)["held"] == 60)
    async with later(shop, infra, minutes=16) as parts:
        await release_overdue_holds(parts)
        await release_overdue_holds(parts)
    eventually(lambda: shop.ask(card)["balance"] == 100)
    assert kinds(shop, card)[:2] == ["hold-released", "held"]
    account = held["account_id"]
    entry = shop.till().get(f"/v1/accounts/{account}/ledger").json()["items"][0]
    assert (entry["details"], entry["occurred_at"]) == ({"reason": "expired"}, held["expires_at"])


async def test_points_that_ran_out_of_time_are_announced_and_levels_that_grew_old_are_left(
    shop: Shop, infra: Infra
) -> None:
    card = shop.somebody(points=600)
    assert shop.ask(card)["tier"] == "silver"
    async with later(shop, infra, days=400) as parts:
        await announce_expiry(parts)
        await announce_expiry(parts)
        eventually(lambda: shop.ask(card)["balance"] == 0)
        await review_tiers(parts)
        eventually(lambda: shop.ask(card)["tier"] == "base")
        await review_tiers(parts)
    assert kinds(shop, card)[:3] == ["tier-changed", "expired", "tier-changed"]
