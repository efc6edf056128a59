from datetime import UTC, datetime

import pytest

from till_events.event import Event
from till_events.order import StoreOpened
from till_events.registry import Registry, UnknownMajor, UnreadableEvent


class DoorOpened(Event, frozen=True, kw_only=True):
    """The first version knew one door."""

    door: str


class DoorOpenedV2(Event, frozen=True, kw_only=True):
    """The second knows many."""

    doors: tuple[str, ...]


class DoorOpenedV3(Event, frozen=True, kw_only=True):
    """The third knows who opened them."""

    doors: tuple[str, ...]
    by: str


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.declare(DoorOpened, owner="order", major=1, public=True)
    registry.declare(DoorOpenedV2, owner="order", major=2, public=True)
    registry.declare(DoorOpenedV3, owner="order", major=3, public=True)

    @registry.upcast(DoorOpened, to=DoorOpenedV2)
    def many(old: DoorOpened) -> DoorOpenedV2:
        return DoorOpenedV2(occurred_at=old.occurred_at, doors=(old.door,))

    @registry.upcast(DoorOpenedV2, to=DoorOpenedV3)
    def somebody(old: DoorOpenedV2) -> DoorOpenedV3:
        return DoorOpenedV3(occurred_at=old.occurred_at, doors=old.doors, by="unknown")

    return registry


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_an_old_event_reads_as_the_newest_major(registry):
    recorded = registry.encode(DoorOpened(occurred_at=NOON, door="front"))
    assert registry.decode("tillstream.order.DoorOpened.v1", recorded) == DoorOpenedV3(
        occurred_at=NOON, doors=("front",), by="unknown"
    )


def test_what_is_stored_stays_as_it_was(registry):
    assert registry.encode(DoorOpened(occurred_at=NOON, door="front")) == (
        b'{"occurred_at":"2026-11-22T12:00:00Z","door":"front"}'
    )


def test_all_majors_have_one_name_and_subscribers_get_them_all(registry):
    assert registry.type_of(DoorOpenedV3) == "tillstream.order.DoorOpened.v3"
    assert registry.types_of(DoorOpenedV3) == {f"tillstream.order.DoorOpened.v{major}" for major in (1, 2, 3)}
    assert registry.types_of(DoorOpened) == frozenset()


def test_a_major_from_the_future_must_wait(registry):
    with pytest.raises(UnknownMajor):
        registry.decode("tillstream.order.DoorOpened.v4", b"{}")


def test_an_old_event_must_be_what_its_own_version_says(registry):
    with pytest.raises(UnreadableEvent):
        registry.decode("tillstream.order.DoorOpened.v1", b'{"occurred_at":"2026-11-22T12:00:00Z","doors":["front"]}')


def test_a_name_is_given_once(registry):
    registry.declare(StoreOpened, owner="order", major=1, public=True)
    with pytest.raises(TypeError, match="declared twice"):
        registry.declare(StoreOpened, owner="order", major=1, public=True)


def test_the_catalogue_of_the_business_knows_nothing_of_this_one(registry):
    from till_events.base import declarations

    assert "DoorOpened" in {declared.name for declared in registry.declarations()}
    assert "DoorOpened" not in {declared.name for declared in declarations()}
