import pytest
from jsonschema import Draft202012Validator

import till_events.catalogue  # noqa: F401 - declares every event
from till_events.base import CATALOGUE, declarations
from till_events.codec import decode, encode
from till_events.contract.schema import event_schema
from till_events.envelope import schema_url, to_headers
from till_events.structured import from_line, to_line
from till_events.topics import source_of

OURS = [declared for declared in declarations() if declared.cls.__module__.startswith("till_events.")]


@pytest.mark.parametrize("declared", OURS, ids=lambda declared: declared.type)
def test_every_event_has_at_least_two_samples(declared, samples):
    numbers = [sample.number for sample in samples if sample.type == declared.type]
    assert len(numbers) >= 2, f"write golden samples of {declared.type} by hand, as its service would record it"
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_no_sample_is_of_an_event_that_was_taken_away(samples):
    assert {sample.type for sample in samples} == {declared.type for declared in OURS}


def test_every_sample_is_read_for_ever_and_the_newest_major_is_written_as_it_always_was(samples):
    by_type = {declared.type: declared for declared in OURS}
    for sample in samples:
        event = decode(sample.type, sample.data)
        assert type(event) is CATALOGUE.newest(by_type[sample.type].cls)
        if type(event) is by_type[sample.type].cls:
            assert encode(event) == sample.data


def test_every_sample_is_what_its_schema_says(samples):
    by_type = {declared.type: declared for declared in OURS}
    for sample in samples:
        schema = event_schema(by_type[sample.type])
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(sample.payload)


def test_a_sample_with_a_field_of_the_wrong_kind_is_not_what_its_schema_says(samples):
    sample = next(sample for sample in samples if sample.type == "tillstream.order.PurchaseRecorded.v1")
    declared = next(declared for declared in OURS if declared.type == sample.type)
    validator = Draft202012Validator(event_schema(declared), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for change in (
        {"total_minor": "399"},
        {"occurred_at": "yesterday"},
        {"currency": "zł"},
        {"lines": [{"line_id": 1}]},
    ):
        assert not validator.is_valid({**sample.payload, **change})


def test_the_headers_of_every_sample_are_read_and_written_as_they_always_were(samples):
    for sample in samples:
        envelope = sample.envelope
        assert {name: text.decode() for name, text in to_headers(envelope)} == sample.headers
        assert envelope.type == sample.type
        assert envelope.source == source_of(sample.type.split(".")[1])
        assert sample.headers["ce_dataschema"] == schema_url(sample.type)


def test_every_sample_survives_an_export_byte_for_byte(samples):
    for sample in samples:
        assert from_line(to_line(sample.envelope, sample.data)) == (sample.envelope, sample.data)


def test_the_samples_show_what_is_hard_to_get_right(samples):
    receipts = [sample.payload for sample in samples if sample.type == "tillstream.order.PurchaseRecorded.v1"]
    lines = [line for receipt in receipts for line in receipt["lines"]]
    assert any(line["quantity"] == "0" for line in lines)
    assert any(line["quantity"] == "89638" and line["unit"] == "MLT" for line in lines)
    names = {
        sample.payload["name"]
        for sample in samples
        if ".customer.CustomerProfile" in sample.type or "Registered" in sample.type
    }
    assert {name.split()[0] for name in names} == {"Jane", "Anna", "Иван"}
