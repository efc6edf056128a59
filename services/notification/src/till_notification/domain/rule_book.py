"""Which happening sends which message: all rules of the chain, in one book."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from till_events.base import Event
from till_events.notification import NotificationRulePublished
from till_notification.domain.happening import checked_happening
from till_notification.domain.template import CHANNELS, checked_id
from till_platform.domain import Aggregate, Invalid

PURPOSES = ("transactional", "marketing", "loyalty", "survey")
LONGEST_USE_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule as somebody writes it down; the fields mean what they mean in `NotificationRulePublished`."""

    rule_id: str
    on: str
    template_id: str
    channels: Sequence[str]
    purpose: str
    stale_after_minutes: int
    urgent: bool = False
    status: str | None = None
    enabled: bool = True

    def check(self) -> None:
        """Raise `Invalid` naming the field that makes no sense."""
        checked_happening(self.on)
        checked_id(self.rule_id, field="rule_id")
        checked_id(self.template_id, field="template_id")
        if self.status is not None and self.on != "OrderStatusChanged":
            raise Invalid("only orders have statuses", field="status")
        if not self.channels or len(set(self.channels)) != len(self.channels) or set(self.channels) - set(CHANNELS):
            raise Invalid("a rule names sms, email or both", field="channels")
        if self.purpose not in PURPOSES:
            raise Invalid(f"a purpose is one of {', '.join(PURPOSES)}", field="purpose")
        if not 1 <= self.stale_after_minutes <= LONGEST_USE_MINUTES:
            raise Invalid("a message is of use for a minute to a week", field="stale_after_minutes")


class RuleBook(Aggregate):
    """The rules by which messages are sent. One book, so that a rule's id is one rule whatever happening it answers."""

    kind: ClassVar[str] = "rule"
    IDENTITY: ClassVar[str] = "book"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.rules: dict[str, NotificationRulePublished] = {}

    def publish(self, rule: Rule, *, at: datetime) -> None:
        """Send by this rule from now on, instead of the rule of this id there was. The same rule again changes nothing."""
        rule.check()
        before = self.rules.get(rule.rule_id)
        event = NotificationRulePublished(
            occurred_at=before.occurred_at if before else at,
            rule_id=rule.rule_id,
            version=before.version if before else 1,
            on=rule.on,
            template_id=rule.template_id,
            channels=tuple(rule.channels),
            purpose=rule.purpose,
            stale_after_minutes=rule.stale_after_minutes,
            urgent=rule.urgent,
            status=rule.status,
            enabled=rule.enabled,
        )
        if before is None:
            self.record(event)
        elif event != before:
            self.record(_next(event, at))

    def on(self, happening: str) -> list[NotificationRulePublished]:
        """Return the enabled rules that answer a happening, whatever its status."""
        return [rule for rule in self.rules.values() if rule.on == happening and rule.enabled]

    def on_status(self, to_status: str, *, to_phase: str, from_phase: str) -> list[NotificationRulePublished]:
        """Return the enabled rules that answer an order's move.

        Those that name the status itself; if there are none, those that name the phase the order has just entered. So rules written for
        phases serve every chain's own statuses, and a chain can say something else about one of them. Rules without a status always answer.
        """
        rules = self.on("OrderStatusChanged")
        exact = [rule for rule in rules if rule.status == to_status]
        entered = to_phase if to_phase != from_phase else None
        by_phase = [rule for rule in rules if rule.status is not None and rule.status == entered]
        return [*(exact or by_phase), *(rule for rule in rules if rule.status is None)]

    def happenings_with(self, template_id: str) -> set[str]:
        """Return the happenings, by the rules in force, about which a template is sent."""
        return {rule.on for rule in self.rules.values() if rule.template_id == template_id and rule.enabled}

    def apply(self, event: Event) -> None:
        match event:
            case NotificationRulePublished():
                self.rules[event.rule_id] = event


def _next(event: NotificationRulePublished, at: datetime) -> NotificationRulePublished:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return NotificationRulePublished(**{**fields, "version": event.version + 1, "occurred_at": at})
