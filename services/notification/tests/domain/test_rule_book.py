"""Which happening sends which message."""

from datetime import UTC, datetime

import pytest

from till_events.notification import NotificationRulePublished
from till_notification.domain.happening import UnknownHappening
from till_notification.domain.rule_book import Rule, RuleBook
from till_platform.domain import Invalid
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def rule(**changed):
    fields = {
        "rule_id": "order-delivery",
        "on": "OrderStatusChanged",
        "status": "delivery",
        "template_id": "order_delivery",
        "channels": ("sms", "email"),
        "purpose": "transactional",
        "stale_after_minutes": 120,
        "urgent": True,
    }
    return Rule(**{**fields, **changed})


def book(*rules):
    rule_book = RuleBook(RuleBook.stream(RuleBook.IDENTITY))
    for each in rules:
        rule_book.publish(each, at=NOW)
    rule_book.collect_events()
    return rule_book


def ids(rules):
    return [each.rule_id for each in rules]


def test_a_rule_is_published_with_its_first_version():
    given(book()).when(lambda rules: rules.publish(rule(), at=NOW)).then(
        happened(NotificationRulePublished, rule_id="order-delivery", version=1, urgent=True, status="delivery")
    )


def test_the_same_rule_again_changes_nothing():
    given(book(rule())).when(lambda rules: rules.publish(rule(channels=["sms", "email"]), at=NOW)).then_nothing()


def test_a_changed_rule_is_the_next_version():
    given(book(rule())).when(lambda rules: rules.publish(rule(urgent=False), at=NOW)).then(
        happened(NotificationRulePublished, version=2, urgent=False)
    )


def test_a_rule_that_is_switched_off_sends_nothing():
    assert book(rule(enabled=False)).on_status("delivery", to_phase="delivery", from_phase="assembly") == []


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("rule_id", {"rule_id": " "}),
        ("rule_id", {"rule_id": "x" * 65}),
        ("template_id", {"template_id": "../x"}),
        ("status", {"on": "TierChanged"}),
        ("channels", {"channels": ()}),
        ("channels", {"channels": ("sms", "sms")}),
        ("channels", {"channels": ("pigeon",)}),
        ("purpose", {"purpose": "fun"}),
        ("stale_after_minutes", {"stale_after_minutes": 0}),
        ("stale_after_minutes", {"stale_after_minutes": 10_081}),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_naming_the_field(field, changed):
    given(book()).when(lambda rules: rules.publish(rule(**changed), at=NOW)).then_refused(Invalid, field=field)


@pytest.mark.parametrize("on", ["OrderPlced", "Personal", ""])
def test_a_rule_on_something_that_never_happens_is_refused_naming_what_does(on):
    given(book()).when(lambda rules: rules.publish(rule(on=on, status=None), at=NOW)).then_refused(
        UnknownHappening, known=["CustomerRegistered", "OrderStatusChanged", "TierChanged"]
    )


def test_a_rule_for_a_phase_serves_every_status_by_which_a_chain_enters_it():
    found = book(rule()).on_status("handed-to-courier", to_phase="delivery", from_phase="assembly")
    assert ids(found) == ["order-delivery"]


def test_a_rule_for_a_phase_does_not_answer_moves_within_it():
    assert book(rule()).on_status("courier-is-near", to_phase="delivery", from_phase="delivery") == []


def test_a_rule_for_a_status_of_the_chain_replaces_the_one_for_its_phase():
    own = rule(rule_id="courier-is-near", status="courier-is-near", template_id="near")
    rules = book(rule(), own)
    assert ids(rules.on_status("courier-is-near", to_phase="delivery", from_phase="assembly")) == ["courier-is-near"]
    assert ids(rules.on_status("handed-to-courier", to_phase="delivery", from_phase="assembly")) == ["order-delivery"]


def test_a_rule_without_a_status_answers_every_move():
    every = rule(rule_id="every", status=None)
    found = book(every).on_status("courier-is-near", to_phase="delivery", from_phase="delivery")
    assert ids(found) == ["every"]


def test_rules_answer_only_what_they_are_about():
    welcome = rule(rule_id="welcome", on="CustomerRegistered", status=None, template_id="welcome")
    assert ids(book(rule(), welcome).on("CustomerRegistered")) == ["welcome"]
    assert book(rule(), welcome).on("TierChanged") == []


def test_the_book_knows_what_a_template_is_about():
    rules = book(rule(), rule(rule_id="off", on="TierChanged", status=None, enabled=False))
    assert rules.happenings_with("order_delivery") == {"OrderStatusChanged"}
