"""Rebuilding on real topics: interrupted and gone on with, kept beside, compared row by row, and from a topic that is published anew."""

import asyncio

import psycopg
import pytest

from till_events.order import OrderPaymentRecorded
from till_platform.clock import SystemClock
from till_platform.eventstore.schema import migrate
from till_platform.parts import connect
from till_platform.projections import following, tables
from till_platform.projections.following import Follower
from till_platform.projections.projection import Projection
from till_platform.projections.rebuild import Rebuild
from till_platform.projections.table import Table
from till_platform.relay.kafka_side import KafkaSide
from till_platform.relay.republish import Republish
from till_platform.settings import Settings
from till_platform.testing.neighbours import PARTITIONS, Neighbours
from till_platform.worker.cursor import Cursor, read_cursors
from till_platform.worker.reading import Reader
from till_platform.worker.transaction import BatchTransaction

from .records import paid

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
CONSUMER = "loyalty.worker"
TAKINGS = Table("takings", {"customer_id": "text", "paid_minor": "bigint"}, key=("customer_id",))
EVENTS = 400


class Takings(Projection):
    """What each customer paid."""

    name = "takings"
    of = (OrderPaymentRecorded,)
    tables = (TAKINGS,)

    def __init__(self, version=1):
        self.version = version
        self.folded = 0

    def fold(self, batch, db):
        self.folded += len(batch)
        db.add(TAKINGS, [(fact.event.customer_id, fact.event.amount_minor) for fact in batch], sums=["paid_minor"])


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


def interrupt_after_half(read, total):
    if read > total / 2:
        raise Interrupted


class World:
    """A topic with payments of nine customers, and a consumer that has taken all of them into a read model."""

    def __init__(self, settings, neighbours, connection):
        self.settings, self.neighbours, self.connection = settings, neighbours, connection
        self.said = []
        self.version = 1

    def pay(self, times):
        self.neighbours.tell(*[paid(customer=f"c-{number % 9}", amount=number + 1) for number in range(times)])
        self.take()

    def take(self):
        """Be the live consumer for a moment."""
        transaction = BatchTransaction(CONSUMER, [Takings(self.version)], [], SystemClock().now)
        cursors = read_cursors(self.connection, CONSUMER, [(self.topic, number) for number in range(PARTITIONS)])
        follower = Follower(self.settings, Reader([OrderPaymentRecorded]), cursors, self.said.append)
        work = follower.read_to(self.published(), lambda reading: transaction.take(self.connection, reading))
        asyncio.run(work)

    @property
    def topic(self):
        return self.settings.topic("order")

    def published(self):
        with psycopg.connect(self.neighbours.settings_of("order").pg) as log:
            ((ends,),) = log.execute("SELECT ends FROM relay_mark").fetchall()
        return {(self.topic, int(number)): Cursor(*place) for number, place in ends.items()}

    def rebuild(self, projection, progress=None):
        return Rebuild(self.settings, CONSUMER, [projection], self.connection, progress, self.said.append)

    def rows(self, schema="takings"):
        return self.connection.execute(f"SELECT * FROM {schema}.takings ORDER BY 1").fetchall()

    def half_rebuilt(self):
        """Begin a rebuild and interrupt it; return how many events it had folded."""
        begun = Takings(version=2)
        with pytest.raises(Interrupted):
            asyncio.run(self.rebuild(begun, interrupt_after_half).swap())
        assert 0 < begun.folded < EVENTS
        return begun.folded

    def republish(self, **what):
        owner = self.neighbours.settings_of("order")
        relay = Republish("order", lambda: connect(owner, long=True), KafkaSide(owner))
        return asyncio.run(relay.once(lambda *_: None, **what))


@pytest.fixture
def world(infra, request, monkeypatch):
    monkeypatch.setattr(following, "BATCH", 20)
    namespace = f"rebuild{abs(hash(request.node.name)) % 10**6}"
    settings = Settings.read(
        service="loyalty", environment="local", pg=infra.database("rebuild"), kafka=infra.kafka, redis=infra.redis,
        partitions=PARTITIONS, namespace=namespace,
    )  # fmt: skip
    with Neighbours(infra, namespace) as neighbours, connect(settings, long=True) as connection:
        migrate(connection)
        tables.prepare(connection, [Takings()], CONSUMER)
        made = World(settings, neighbours, connection)
        made.pay(EVENTS)
        yield made


def test_an_interrupted_rebuild_goes_on_where_it_was_and_the_old_version_is_kept(world):
    before = world.rows()
    folded = world.half_rebuilt()
    assert world.rows() == before, "the live one is as it was"
    world.pay(9)
    gone_on = Takings(version=2)
    asyncio.run(world.rebuild(gone_on).swap())
    assert gone_on.folded == EVENTS + 9 - folded
    assert [row for _, row in world.rows()] == [row + number + 1 for number, (_, row) in enumerate(before)]
    assert asyncio.run(world.rebuild(Takings(version=2)).compare())[0].equal

    ((version,),) = world.connection.execute("SELECT version FROM projection").fetchall()
    ((kept,),) = world.connection.execute("SELECT version FROM kept_projection").fetchall()
    assert (version, kept) == (2, 1)
    assert len(world.rows("takings__old")) == 9
    assert tables.drop_kept(world.connection, "takings")
    assert not tables.drop_kept(world.connection, "takings")


def test_control_a_rebuild_by_other_code_begins_anew(world):
    world.half_rebuilt()
    newer = Takings(version=3)
    asyncio.run(world.rebuild(newer).swap())
    assert newer.folded == EVENTS


def test_a_rebuild_whose_topic_is_emptied_and_published_anew_goes_on_by_the_place_in_the_log(world):
    folded = world.half_rebuilt()
    assert world.republish(replace=True) == (1, EVENTS)
    gone_on = Takings(version=2)
    asyncio.run(world.rebuild(gone_on).swap())
    assert gone_on.folded == EVENTS - folded
    assert asyncio.run(world.rebuild(Takings(version=2)).compare())[0].equal
    world.version = 2
    world.pay(9)
    assert asyncio.run(world.rebuild(Takings(version=2)).compare())[0].equal, "who was at the end goes on at the end"


def test_an_interrupted_republish_is_ended_by_the_relay(world):
    owner = world.neighbours.settings_of("order")
    relay = Republish("order", lambda: connect(owner, long=True), KafkaSide(owner))

    def interrupt(done, total):
        raise Interrupted

    with pytest.raises(Interrupted):
        asyncio.run(relay.once(interrupt, replace=True))
    world.pay(9)
    assert asyncio.run(world.rebuild(Takings()).compare())[0].equal


def test_a_letter_that_is_taken_again_during_a_rebuild_is_in_what_is_swapped_in(world):
    """What was left out because it waited, and is taken into the live tables meanwhile, must not be missing in the end."""
    letter = (
        'INSERT INTO dead_letter (consumer, topic, partition, "offset", reason, detail, headers)'
        " SELECT %s, topic, partition, 0, 'unstorable', '', jsonb_build_object('ce_logposition', '1') FROM checkpoint LIMIT 1"
    )
    world.connection.execute(letter, [CONSUMER])
    settle = "UPDATE dead_letter SET settled_how = 'retried', settled_at = clock_timestamp()"
    world.half_rebuilt()
    world.connection.execute(settle)
    asyncio.run(world.rebuild(Takings(version=2)).swap())
    assert any("a dead letter was taken again" in line for line in world.said)
    assert asyncio.run(world.rebuild(Takings(version=2)).compare())[0].equal


def test_where_live_and_rebuilt_part_the_first_row_and_its_events_are_named(world):
    world.connection.execute("UPDATE takings.takings SET paid_minor = 7 WHERE customer_id IN ('c-3', 'c-5')")
    (found,) = asyncio.run(world.rebuild(Takings()).compare())
    difference = found.difference
    assert (difference.table, difference.key, difference.rows) == ("takings", {"customer_id": "c-3"}, 2)
    assert difference.columns == ["paid_minor"]
    assert difference.live["paid_minor"] == 7
    paid_by_them = {number + 1 for number in range(EVENTS) if number % 9 == 3}
    assert {event.position for event in difference.events} <= paid_by_them
    assert len(difference.events) == 20
