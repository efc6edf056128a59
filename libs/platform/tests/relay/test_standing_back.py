"""A relay that may not publish, or cannot, waits its time whatever is recorded meanwhile."""

import asyncio

from psycopg import OperationalError

from till_platform.relay import relay
from till_platform.relay.relay import Relay


class Kafka:
    """A Kafka that it never comes to."""

    topic = "till.order"

    async def close(self):
        pass


class Led:
    """A database in which another relay leads."""

    def execute(self, query, parameters=(), **_):
        return self

    def fetchone(self):
        return (False,)

    def close(self):
        pass


async def attempts(connect, *, woken, seconds):
    made = []

    def counted():
        made.append(None)
        return connect()

    found = Relay("order", counted, Kafka())
    running = asyncio.create_task(found.run())
    for _ in range(woken):
        found.wake()
        await asyncio.sleep(seconds / woken)
    found.stop()
    await running
    return len(made), found


async def test_a_relay_that_stands_by_does_not_ask_again_for_every_event_recorded(monkeypatch):
    monkeypatch.setattr(relay, "STAND_BY_SECONDS", 0.2)
    asked, found = await attempts(Led, woken=50, seconds=0.5)
    assert asked <= 4
    assert found.ready


async def test_a_relay_without_database_does_not_try_again_for_every_event_recorded():
    def away():
        raise OperationalError("away")

    tried, found = await attempts(away, woken=50, seconds=0.5)
    assert tried <= 3
    assert found.failure is None


class Failing(Relay):
    """Fails to lead, over and over."""

    def __init__(self, enough):
        super().__init__("order", Led, Kafka())
        self.tries = 0
        self._enough = enough

    async def _lead(self):
        self.tries += 1
        if self.tries == self._enough:
            self.stop()
        raise OperationalError("away")


async def test_a_relay_goes_on_trying_however_often_it_failed(monkeypatch):
    monkeypatch.setattr(relay, "LONGEST_PAUSE", 0.0)
    found = Failing(1200)
    await asyncio.wait_for(found.run(), 20)
    assert found.tries == 1200
    assert found.failure is None
