"""A relay that may not publish, or cannot, waits its time whatever is recorded meanwhile."""

import asyncio

from psycopg import OperationalError

from till_platform.kafka.refusals import Refused
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


class Refusing(Kafka):
    async def open(self):
        raise Refused("nobody answers there")


class LostTheLead(Led):
    """The first session leads; by the next one another relay does."""

    def __init__(self):
        self.answers = [(True,), (0, 1, {})]

    def fetchone(self):
        return self.answers.pop(0) if self.answers else (False,)


async def test_a_relay_that_was_refused_and_stands_by_now_is_ready(monkeypatch):
    monkeypatch.setattr(relay, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(relay, "STAND_BY_SECONDS", 0.05)
    database = LostTheLead()
    found = Relay("order", lambda: database, Refusing())
    refusals = []
    running = asyncio.create_task(found.run())
    async with asyncio.timeout(5):
        while not found.ready:
            refusals.append(found.refusal)
            await asyncio.sleep(0.001)
    found.stop()
    await running
    assert "nobody answers there" in refusals, "control: it was refused while it led"


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
