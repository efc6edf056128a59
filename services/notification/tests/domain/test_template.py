"""The words of a message."""

from datetime import UTC, datetime

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from till_events.notification import TemplatePublished
from till_notification.domain.happening import VARIABLES
from till_notification.domain.language import checked_locale, fallbacks
from till_notification.domain.template import Template, fill_in_words
from till_notification.domain.wording import MAX_VALUE, UnsayableWording, UnsuitableWording, fill_in
from till_platform.domain import Invalid
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def publish(
    text="Order {{ number }} is on its way.", *, channel="sms", locale="en", subject=None, template_id="delivery"
):
    def decide(template):
        template.publish(
            template_id=template_id,
            channel=channel,
            locale=locale,
            text=text,
            subject=subject,
            variables=VARIABLES["OrderStatusChanged"],
            at=NOW,
        )

    return decide


def template(*versions):
    wording = Template(Template.stream(Template.identity_of("delivery", "sms", "en")))
    for decide in versions:
        decide(wording)
    wording.collect_events()
    return given(wording)


def test_words_are_published_with_their_first_version():
    template().when(publish()).then(happened(TemplatePublished, version=1, channel="sms", locale="en", subject=None))


def test_other_words_are_the_next_version():
    template(publish()).when(publish("It is on its way.")).then(happened(TemplatePublished, version=2))


def test_the_same_words_again_change_nothing():
    template(publish()).when(publish()).then_nothing()


def test_words_that_name_something_unknown_are_refused_naming_what_is_known():
    template().when(publish("{{ nmae }}")).then_refused(
        UnsuitableWording, field="text", known=["name", "number", "promised"]
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ number",
        "{% if promised %}",
        "{% for i in range(10) %}x{% endfor %}",
        "{{ number * 1000000000 }}",
        "{{ number.__class__ }}",
        "{{ number|center(1000000000) }}",
        "{{ ''.join(number) }}",
        "{% set x = 1 %}{{ x }}",
        "{% include 'secrets' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ number ~ number }}",
        "{% if promised %}{{ promised }}{% endif %}",
        "  ",
        "",
        "x" * 671,
        "x" * 20_001,
        "{% raw %}" * 3,
    ],
)
def test_words_that_are_broken_too_long_empty_or_more_than_words_are_refused(text):
    template().when(publish(text)).then_refused(UnsuitableWording, field="text")


def test_an_email_has_a_subject_of_one_line_and_an_sms_has_none():
    template().when(publish(channel="email")).then_refused(UnsuitableWording, field="subject")
    template().when(publish(subject="Hello")).then_refused(UnsuitableWording, field="subject")
    template().when(publish(channel="email", subject="Hello\nBcc: all@example.com")).then_refused(
        UnsuitableWording, field="subject"
    )
    template().when(publish(channel="email", subject="Order {{ number }}")).then(
        happened(TemplatePublished, subject="Order {{ number }}")
    )


@pytest.mark.parametrize(
    ("field", "changed"),
    [("channel", {"channel": "fax"}), ("locale", {"locale": "klingon!"}), ("template_id", {"template_id": "a.b"})],
)
def test_a_template_for_no_channel_language_or_id_is_refused(field, changed):
    template().when(publish(**changed)).then_refused(Invalid, field=field)


def published(text, subject=None):
    return TemplatePublished(
        occurred_at=NOW, template_id="t", version=1, channel="email", locale="en", text=text, subject=subject
    )


def test_words_are_filled_in():
    words = fill_in_words(published("Hello {{ name }}!\n", "For {{ name|upper }}"), {"name": "Anna"})
    assert (words.text, words.subject) == ("Hello Anna!", "For ANNA")


def test_words_that_name_what_a_happening_does_not_tell_cannot_be_said():
    with pytest.raises(UnsayableWording, match="number"):
        fill_in_words(published("Order {{ number }}"), {"name": "Anna"})


def test_a_choice_between_words_is_made_by_what_is_known():
    wording = "On its way{% if promised %}: {{ promised }}{% else %}, soon{% endif %}."
    assert fill_in(wording, {"promised": "by 16:00"}) == "On its way: by 16:00."
    assert fill_in(wording, {"promised": ""}) == "On its way, soon."


def test_what_a_customer_is_called_can_neither_break_lines_nor_be_read_as_a_template():
    name = "Anna\r\nBcc: all@example.com {{ number }}\0"
    assert fill_in("{{ name }}", {"name": name}) == "Anna Bcc: all@example.com {{ number }}"


@settings(deadline=None)
@for_any(name=st.text())
def test_any_name_in_any_script_stays_one_line_of_modest_length(name):
    filled = fill_in("{{ name }}.", {"name": name})
    assert len(filled) <= MAX_VALUE + 1
    assert len(filled.splitlines()) == 1


def test_a_language_is_kept_as_everybody_writes_it():
    assert [checked_locale(locale) for locale in ("en", "pl-pl", "ru-RU", "zh-hant-tw")] == [
        "en",
        "pl-PL",
        "ru-RU",
        "zh-Hant-TW",
    ]


def test_words_are_looked_for_in_the_customers_language_then_without_its_region_then_in_english():
    assert fallbacks("pl-PL") == ["pl-PL", "pl", "en"]
    assert fallbacks("zh-Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh", "en"]
    assert fallbacks("en") == ["en"]
    assert fallbacks("en-GB") == ["en-GB", "en"]


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 5_000,
        "{% if name %}" * 300 + "x" + "{% endif %}" * 300,
        "{{ " + "(" * 5_000 + "name" + ")" * 5_000 + " }}",
    ],
    ids=["braces", "choices", "brackets"],
)
def test_words_nested_beyond_reason_are_refused(text):
    template().when(publish(text)).then_refused(UnsuitableWording, field="text")
