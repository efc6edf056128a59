"""A topic that was made anew while its reader was away, and is by now as long as the place that the reader remembers."""

import pytest
from faultlab.simulation.installation import Defences, Installation
from faultlab.simulation.kafka import Partition
from faultlab.simulation.oracle import position_of
from faultlab.simulation.substitutes import substituted
from faultlab.simulation.tills import Tills
from faultlab.simulation.world import World

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
