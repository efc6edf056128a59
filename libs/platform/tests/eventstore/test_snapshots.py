"""Snapshots: nobody notices them, and nobody is misled by one."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from till_events.order import OrderPaymentRecorded
from till_platform.domain import Aggregate
from till_platform.eventstore import snapshots, streams
from till_platform.eventstore.freezing import Unfreezable, freeze, thaw
from till_platform.worker.unit import AggregateCache

from .things import Parcel

pytestmark = pytest.mark.integration
TAKEN = "SELECT stream, version FROM snapshot"


class Till(Aggregate):
    """A till drawer that remembers in every way that an aggregate of ours might."""

    kind = "drawer"

    def __init__(self, id):
        super().__init__(id)
        self.takings: dict[str, list[int]] = {}
        self.days: set[tuple[str, int]] = set()
        self.last: OrderPaymentRecorded | None = None
        self.first_list: list[int] | None = None
        self.total = 0

    def apply(self, event):
        amounts = self.takings.setdefault(event.customer_id or "nobody", [])
        amounts.append(event.amount_minor)
        self.first_list = self.first_list if self.first_list is not None else amounts  # one list, known under two names
        self.days.add((event.method, event.amount_minor % 7))
        self.last, self.total = event, self.total + event.amount_minor


def drawer_with(amounts, name="1"):
    drawer = Till(Till.stream(name))
    parcel = Parcel("parcel-x")
    for number, amount in enumerate(amounts):
        parcel.pay(amount, customer=f"c-{number % 3}")
    for event in parcel.pending:
        drawer.record(event)
    return drawer


def known(drawer):
    return {name: value for name, value in vars(drawer).items() if name != "_pending"}


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(snapshots, "EVERY", 5)


async def test_a_long_stream_is_begun_at_its_snapshot(log, database, monkeypatch):
    await log.save(drawer_with(range(12)))
    await log.load(Till, "1")
    assert database.execute(TAKEN).fetchall() == [("drawer-1", 12)]
    begun = []
    original = streams.bring_up_to_date
    monkeypatch.setattr(
        streams,
        "bring_up_to_date",
        lambda connection, found: begun.extend(one.version for one in found.values()) or original(connection, found),
    )
    drawer = await log.load(Till, "1")
    assert (drawer.version, drawer.total) == (12, 66)
    assert begun == [12], "control: nothing was read from the beginning"


async def test_a_short_stream_has_none(log, database):
    await log.save(drawer_with(range(4)))
    await log.load(Till, "1")
    assert database.execute(TAKEN).fetchall() == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_with_and_without_snapshots_the_state_is_the_same_at_any_version(log, database, data):
    name = data.draw(st.uuids()).hex
    parts = data.draw(st.lists(st.lists(st.integers(1, 10**6), min_size=1, max_size=9), min_size=1, max_size=4))

    async def live():
        for amounts in parts:
            drawer = await log.find(Till, name)
            for event in drawer_with(amounts).pending:
                drawer.record(event)
            await log.save(drawer)
            await log.load(Till, name)  # takes a snapshot if it is time

    asyncio.run(live())
    total = sum(map(len, parts))
    version = data.draw(st.integers(1, total))
    cached = AggregateCache(1_000).load(database, {Till.stream(name): Till})[Till.stream(name)]
    with_snapshots = [asyncio.run(log.load(Till, name)), asyncio.run(log.load_at(Till, name, version=version)), cached]
    database.execute("DELETE FROM snapshot")
    without = [asyncio.run(log.load(Till, name)), asyncio.run(log.load_at(Till, name, version=version))]
    assert [known(drawer) for drawer in with_snapshots] == [known(without[0]), known(without[1]), known(without[0])]
    for drawer in (*with_snapshots, *without):
        assert drawer.first_list is drawer.takings["c-0"], "what is one thing stays one thing"


SPOILED = {
    "its bytes were changed": "UPDATE snapshot SET state = replace(convert_from(state, 'UTF8'), '\"total\":66', '\"total\":99')::bytea",
    "it is of other code": "UPDATE snapshot SET code = 'old'",
    "it covers other events": "UPDATE snapshot SET covers = '12:7'",
    "it is of a class that nobody knows": "UPDATE snapshot SET class = 'os:system'",
    "it is further than the log": "UPDATE snapshot SET version = 13",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
async def test_a_wrong_or_old_snapshot_is_not_used_and_is_taken_anew(log, database, spoil):
    await log.save(drawer_with(range(12)))
    await log.load(Till, "1")
    before = database.execute("SELECT * FROM snapshot").fetchone()[:-1]
    assert database.execute(spoil).rowcount == 1
    assert database.execute("SELECT * FROM snapshot").fetchone()[:-1] != before, "control: it is spoiled"
    drawer = await log.load(Till, "1")
    assert (drawer.version, drawer.total) == (12, 66)
    assert database.execute("SELECT * FROM snapshot").fetchone()[:-1] == before


async def test_a_snapshot_of_another_log_is_not_used(log, database):
    """A backup of the log was restored beside snapshots that are newer: same stream, same length, other events."""
    await log.save(drawer_with(range(12)))
    await log.load(Till, "1")
    database.execute("ALTER TABLE log DISABLE TRIGGER log_is_append_only")
    database.execute(
        "UPDATE log SET data = replace(convert_from(data, 'UTF8'), '\"amount_minor\":11', '\"amount_minor\":12')::bytea"
        " WHERE stream = 'drawer-1' AND sequence = 12"
    )
    database.execute("ALTER TABLE log ENABLE TRIGGER log_is_append_only")
    assert (await log.load(Till, "1")).total == 67


async def test_control_without_the_look_at_the_log_the_wrong_snapshot_would_be_believed(log, database, monkeypatch):
    await log.save(drawer_with(range(12)))
    await log.load(Till, "1")
    monkeypatch.setattr(snapshots, "_READ", snapshots._READ.replace("covers = ", "true OR covers = "))
    database.execute("ALTER TABLE log DISABLE TRIGGER log_is_append_only")
    database.execute(
        "UPDATE log SET data = replace(convert_from(data, 'UTF8'), '\"amount_minor\":11', '\"amount_minor\":12')::bytea"
        " WHERE stream = 'drawer-1' AND sequence = 12"
    )
    assert (await log.load(Till, "1")).total == 66


def test_what_is_not_data_of_ours_is_not_kept():
    drawer = drawer_with([1])
    drawer.last = print
    with pytest.raises(Unfreezable):
        freeze(drawer, frozenset({Till.__module__.partition(".")[0], "till_events"}))
    with pytest.raises(Unfreezable):
        thaw(b'["thing", "subprocess:Popen", {}]', frozenset({"till_events"}))
