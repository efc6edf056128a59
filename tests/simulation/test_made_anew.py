"""A topic that was made anew while nobody looked, and is by now as long as a reader or a relay remembers it."""

import pytest
from faultlab.simulation.installation import Defences, Installation
from faultlab.simulation.kafka import Partition
from faultlab.simulation.oracle import position_of
from faultlab.simulation.substitutes import substituted
from faultlab.simulation.tills import Tills
from faultlab.simulation.world import World

from till_platform.relay.relay import Relay
from till_platform.worker import loop

PAYMENTS = 8
PATIENCE = 30.0


def published(world):
    """Let payments be recorded and published; return the installation and where most of them are."""
    installation = Installation(world, Defences())
    installation.start("order-1")
    installation.start("order-2")
    tills = Tills(world, installation, PAYMENTS, refused=False)
    log = installation.databases["order"].table("log")
    topic = installation.broker.topic("till.order")
    world.run(lambda: tills.done and sum(len(partition.records) for partition in topic) >= len(log), most_steps=60_000)
    return installation, max(range(len(topic)), key=lambda number: len(topic[number].records))


def read_by_one_that_was_away(beyond):
    """Let loyalty read a topic made anew that begins with the one event it lacks; its place is so many records beyond the end."""
    world = World(1)
    with substituted(world):
        try:
            installation, number = published(world)
            before = installation.broker.topic("till.order")[number].records
            anew = installation.broker.topic("till.order")[number] = Partition()
            for record in (before[-1], *before):  # sent before the relay knew, and then all of them
                anew.append(record.key, record.value, record.headers)
            place = ("loyalty.main", "till.order", number)
            taken, wanted = position_of(before[-2]), position_of(before[-1])
            checkpoint = installation.databases["loyalty"].table("checkpoint")
            names = ("consumer", "topic", "partition", "next_offset", "last_position")
            checkpoint[place] = dict(zip(names, (*place, anew.end + beyond, taken), strict=True))
            installation.start("loyalty-1")
            deadline = world.now + PATIENCE
            world.run(lambda: checkpoint[place]["last_position"] == wanted or world.now > deadline, most_steps=60_000)
            assert not world.bugs
            return checkpoint[place]["last_position"] == wanted
        finally:
            world.end()


@pytest.mark.parametrize("beyond", [-1, 0, 1, 2])
def test_what_stands_before_our_place_in_a_topic_made_anew_is_read(beyond):
    assert read_by_one_that_was_away(beyond)


@pytest.mark.parametrize("beyond", [0, 1])
def test_control_a_reader_that_does_not_look_back_waits_for_the_next_event(beyond, monkeypatch):
    async def nowhere(*_):
        """It does not look where partitions end."""

    monkeypatch.setattr(loop.WorkerLoop, "_look_at_ends", nowhere)
    if not beyond:
        monkeypatch.setattr(loop, "_last_taken", lambda cursor: cursor.next_offset)
    assert not read_by_one_that_was_away(beyond)


def read_after_the_mark_was_set_back():
    """A relay sent all records of a partition again, as following the last of them, since its mark was set back; the partition was wiped
    just before, and it died just after, having marked nothing. Return whether a new relay and a new reader come to the last event.
    """
    world = World(1)
    with substituted(world):
        try:
            installation, number = published(world)
            topic = installation.broker.topic("till.order")
            for name in ("order-1", "order-2"):
                installation.kill(name)
            before = topic[number].records
            first, last = before[0], position_of(before[-1])
            anew = topic[number] = Partition()
            anew.append(first.key, first.value, [*first.headers[:-1], ("ce_prevposition", b"%d" % last)])
            for record in before[1:]:
                anew.append(record.key, record.value, record.headers)
            marks = installation.databases["order"].table("relay_mark")
            marks["till.order"] = {**marks["till.order"], "position": position_of(first) - 1}
            installation.start("order-1")
            installation.start("loyalty-1")
            checkpoint = installation.databases["loyalty"].table("checkpoint")
            place = ("loyalty.main", "till.order", number)
            deadline = world.now + PATIENCE
            world.run(
                lambda: checkpoint.get(place, {}).get("last_position") == last or world.now > deadline,
                most_steps=60_000,
            )
            return checkpoint.get(place, {}).get("last_position") == last
        finally:
            world.end()


def test_what_was_sent_again_into_a_topic_made_anew_is_not_taken_for_whole():
    assert read_after_the_mark_was_set_back()


def test_control_a_relay_that_trusts_a_mark_set_back_leaves_a_hole_for_good(monkeypatch):
    monkeypatch.setattr(Relay, "_marked_beyond", lambda _: set())
    assert not read_after_the_mark_was_set_back()
