from datetime import UTC, datetime

import pytest

from till_events.codec import type_of
from till_events.ids import new_id
from till_events.notification import MessageRequested, MessageSuppressed
from till_notification.commands.seed import default_rules
from till_notification.domain.rule_book import RuleBook
from till_platform.batch import Fact

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Happenings:
    """Happenings handed to reactions one by one, with aggregates in memory; what they asked for is kept."""

    def __init__(self):
        self.now = NOW
        self.effects = {}
        self.aggregates = {}
        self.book = self.get(RuleBook, RuleBook.IDENTITY)
        for rule in default_rules():
            self.book.publish(rule, at=NOW)
        self.book.collect_events()

    def get(self, cls, identity):
        return self.aggregates.setdefault(cls.stream(identity), cls(cls.stream(identity)))

    def effect(self, kind, key, payload, *, not_before=None):
        self.effects.setdefault((kind, key), (payload, not_before))

    def rows(self, query, parameters=()):
        raise AssertionError("reactions of this service read no tables")

    def fact(self, event, *, recorded_at=None, event_id=None):
        headers = {
            "ce_id": (event_id or new_id()).encode(),
            "ce_type": type_of(event).encode(),
            "ce_recordedat": (recorded_at or self.now).isoformat().encode(),
            "ce_correlationid": b"correlation-1",
        }
        return Fact(event, headers, "c-1", "till.topic", 0, 0)

    def recorded(self, of):
        events = [event for aggregate in self.aggregates.values() for event in aggregate.pending]
        return [event for event in events if type(event) is of]

    @property
    def requested(self):
        return self.recorded(MessageRequested)

    @property
    def suppressed(self):
        return self.recorded(MessageSuppressed)


@pytest.fixture
def happenings() -> Happenings:
    return Happenings()
