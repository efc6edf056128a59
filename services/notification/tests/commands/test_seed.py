"""What a new chain starts with."""

from datetime import UTC, datetime, timedelta

import pytest

from till_notification.commands.seed import default_rules, default_templates
from till_notification.domain.happening import SAMPLES, VARIABLES, shared_variables
from till_notification.domain.rule_book import RuleBook
from till_notification.domain.template import Template, fill_in_words

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def book():
    rules = RuleBook(RuleBook.stream(RuleBook.IDENTITY))
    for rule in default_rules():
        rules.publish(rule, at=NOW)
    return rules


def published(default):
    template = Template(Template.stream(default.identity))
    template.publish(
        template_id=default.template_id,
        channel=default.channel,
        locale=default.locale,
        text=default.text,
        subject=default.subject,
        variables=shared_variables(book().happenings_with(default.template_id)),
        at=NOW,
    )
    return template


@pytest.mark.parametrize("default", default_templates(), ids=lambda default: default.identity)
def test_every_wording_can_be_published_and_read(default):
    words = fill_in_words(published(default).newest, SAMPLES)
    assert "{" not in words.text
    assert "  " not in words.text
    assert "\n\n\n" not in words.text


def test_every_template_speaks_english_russian_and_polish_on_every_channel():
    spoken = {}
    for default in default_templates():
        spoken.setdefault(default.template_id, set()).add((default.channel, default.locale))
    everything = {(channel, locale) for channel in ("sms", "email") for locale in ("en", "ru", "pl")}
    assert set(map(frozenset, spoken.values())) == {frozenset(everything)}


def test_every_rule_has_words_that_tell_only_what_its_happening_tells():
    named = {default.template_id: published(default).named() for default in default_templates()}
    for rule in default_rules():
        assert named[rule.template_id] <= VARIABLES[rule.on]


def test_every_phase_after_the_first_has_a_rule():
    phases = ["approval", "assembly", "delivery", "completed", "cancelled", "returned"]
    found = [book().on_status(phase, to_phase=phase, from_phase="new") for phase in phases]
    assert [[rule.template_id for rule in rules] for rules in found] == [[f"order_{phase}"] for phase in phases]


def test_what_waits_for_the_morning_is_still_of_use_then():
    night = timedelta(hours=12)
    waiting = [rule for rule in default_rules() if not rule.urgent]
    assert waiting
    assert all(timedelta(minutes=rule.stale_after_minutes) > night for rule in waiting)


def test_the_courier_does_not_wait_for_the_morning():
    (delivery,) = book().on_status("delivery", to_phase="delivery", from_phase="assembly")
    assert delivery.urgent
    assert delivery.stale_after_minutes == 120


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Your order S1-17 is on its way. The courier will be there in about an hour."),
        ("ru", "Ваш заказ S1-17 в пути. Курьер приедет примерно через час."),
        ("pl", "Twoje zamówienie S1-17 jest w drodze. Kurier będzie mniej więcej za godzinę."),
    ],
)
def test_the_message_about_the_courier_reads_as_a_person_would_write_it(locale, words):
    from till_notification.domain.promise import promise_in_words

    promised = promise_in_words(
        NOW + timedelta(minutes=30), NOW + timedelta(minutes=60), now=NOW, zone=UTC, locale=locale
    )
    (default,) = [
        each
        for each in default_templates()
        if (each.template_id, each.channel, each.locale) == ("order_delivery", "sms", locale)
    ]
    assert fill_in_words(published(default).newest, {"number": "S1-17", "promised": promised, "name": ""}).text == words
