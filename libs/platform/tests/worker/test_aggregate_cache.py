"""Aggregates kept at hand between batches are bounded by their events, so that old customers do not fill the memory."""

from typing import Any, cast

from psycopg import Connection

from till_events.base import Event
from till_platform.domain import Aggregate
from till_platform.worker.unit import AggregateCache


class Thing(Aggregate):
    kind = "thing"

    def apply(self, event: Event) -> None:
        raise AssertionError("nothing newer is recorded here")


class NothingNewer:
    """A database in which nothing was recorded since."""

    def execute(self, *_: object, **__: object) -> list[tuple[Any, ...]]:
        return []


def thing(name: str, events: int) -> Thing:
    made = Thing(f"thing-{name}")
    made.version = events
    return made


def kept(cache: AggregateCache, *names: str) -> list[str]:
    """Return the names that are found as they were, looked at one by one and put back."""
    found = []
    for name in names:
        loaded = cache.load(cast("Connection[Any]", NothingNewer()), {f"thing-{name}": Thing})[f"thing-{name}"]
        found += [name] if loaded.exists else []
        cache.keep([loaded])
    return found


def test_the_longest_unused_go_when_the_events_are_too_many():
    cache = AggregateCache(10)
    cache.keep([thing("a", 4), thing("b", 4)])
    cache.keep([thing("c", 4)])
    assert kept(cache, "a", "b", "c") == ["b", "c"]


def test_one_that_grew_counts_for_what_it_is_now():
    cache = AggregateCache(10)
    cache.keep([thing("a", 4), thing("b", 4)])
    cache.keep([thing("b", 8)])
    assert kept(cache, "a", "b") == ["b"]


def test_one_that_is_larger_than_the_whole_cache_is_not_kept_and_leaves_it_usable():
    cache = AggregateCache(10)
    cache.keep([thing("huge", 11)])
    cache.keep([thing("a", 1)])
    assert kept(cache, "huge", "a") == ["a"]


def test_what_was_taken_out_for_a_batch_that_failed_is_not_counted_any_more():
    cache = AggregateCache(10)
    cache.keep([thing("a", 6)])
    cache.load(cast("Connection[Any]", NothingNewer()), {"thing-a": Thing})
    cache.keep([thing("b", 6), thing("c", 4)])
    assert kept(cache, "b", "c") == ["b", "c"]
