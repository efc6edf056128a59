import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from till_events.envelope import Envelope, UnreadableEnvelope, format_time, from_headers, to_headers
from till_events.structured import from_line, to_line, to_structured

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
NUMBERS = st.integers(1, 2**53)
ENVELOPES = st.builds(
    Envelope,
    id=TEXT,
    type=st.just("tillstream.order.OrderPlaced.v1"),
    source=TEXT,
    subject=TEXT,
    key=TEXT,
    sequence=NUMBERS,
    position=NUMBERS,
    time=MOMENTS,
    recorded_at=MOMENTS,
    correlation_id=TEXT,
    causation_id=st.none() | TEXT,
    actor=st.none() | TEXT,
    store_id=st.none() | TEXT,
    traceparent=st.none() | TEXT,
)
PLACED = Envelope(
    id="019ac4e2-11a0-7b6d-8c01-5a2f9e7d1c11",
    type="tillstream.order.OrderPlaced.v1",
    source="/tillstream/order",
    subject="order-Ż-17",
    key="customer-Ё",
    sequence=1,
    position=4711,
    time=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    recorded_at=datetime(2026, 11, 22, 9, 30, 1, 500, tzinfo=UTC),
    correlation_id="019ac4e2-0000-7000-8000-000000000000",
    actor="cashier:k-12",
    store_id="waw-01",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


@given(ENVELOPES)
def test_headers_read_back_as_they_were_written(envelope):
    headers = to_headers(envelope)
    assert from_headers(headers) == envelope
    assert to_headers(from_headers(headers)) == headers


@given(ENVELOPES)
def test_an_exported_line_reads_back_as_it_was_written(envelope):
    data = '{"a": 1.50, "b":"Ż\\u017b"}'.encode()
    line = to_line(envelope, data)
    assert b"\n" not in line
    assert from_line(line) == (envelope, data)


def test_any_cloudevents_reader_understands_the_headers():
    message = KafkaMessage(
        headers=dict(to_headers(PLACED)), key=PLACED.key.encode(), value='{"number":"Ż-17"}'.encode()
    )
    read = from_binary(message, JSONFormat())
    assert read.get_id() == PLACED.id
    assert read.get_type() == PLACED.type
    assert read.get_source() == PLACED.source
    assert read.get_subject() == PLACED.subject
    assert read.get_time() == PLACED.time
    assert read.get_datacontenttype() == "application/json"
    assert read.get_dataschema() == "https://tillstream.dev/contracts/events/order/OrderPlaced.v1.json"
    assert read.get_extension("partitionkey") == PLACED.key
    assert read.get_extension("sequence") == "1"
    assert read.get_extension("logposition") == "4711"
    assert read.get_extension("storeid") == "waw-01"
    assert read.get_extension("actor") == "cashier:k-12"
    assert read.get_data() == {"number": "Ż-17"}


def test_any_cloudevents_reader_understands_an_exported_line():
    read = JSONFormat().read(None, to_line(PLACED, b'{"number":"17"}'))
    assert read.get_id() == PLACED.id
    assert read.get_time() == PLACED.time
    assert read.get_extension("correlationid") == PLACED.correlation_id
    assert read.get_extension("traceparent") == PLACED.traceparent
    assert read.get_data() == {"number": "17"}


ZONES = st.timezones() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=ZONES), st.booleans())  # noqa: DTZ001 - Hypothesis adds the zone
def test_a_time_is_written_with_six_digits_and_reads_back(moment, whole):
    moment = moment.replace(microsecond=0) if whole else moment
    text = format_time(moment).decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert datetime.fromisoformat(text) == moment.astimezone(UTC)


def test_a_time_is_written_in_utc_whatever_its_offset():
    eastern = timezone(timedelta(hours=-5))
    moved = msgspec.structs.replace(PLACED, time=PLACED.time.astimezone(eastern))
    assert dict(to_headers(moved))["ce_time"] == b"2026-11-22T09:30:00.000000Z"


REQUIRED = [
    name
    for name, _ in to_headers(PLACED)
    if name.startswith("ce_") and name not in ("ce_dataschema", "ce_actor", "ce_storeid")
]


@pytest.mark.parametrize("name", REQUIRED)
def test_an_envelope_without_what_it_needs_is_unreadable(name):
    with pytest.raises(UnreadableEnvelope, match=name):
        from_headers([header for header in to_headers(PLACED) if header[0] != name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_sequence", b"first"),
        ("ce_logposition", b""),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-11-22T09:30:00"),
        ("ce_recordedat", b"1700000000"),
        ("ce_id", b"\xff\xfe"),
        ("ce_subject", None),
    ],
)
def test_an_envelope_with_rubbish_in_it_is_unreadable_and_the_rubbish_is_not_repeated(name, value):
    with pytest.raises(UnreadableEnvelope) as refusal:
        from_headers([*((n, v) for n, v in to_headers(PLACED) if n != name), (name, value)])
    rubbish = (value or b"").decode(errors="ignore")
    assert not rubbish or rubbish not in str(refusal.value)


def test_headers_of_others_are_ignored():
    assert from_headers([*to_headers(PLACED), ("correlation_id", b"x"), ("ce_whatever", b"y")]) == PLACED


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"data":{}}', b'{"id":1,"data":{}}', b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_event_is_unreadable(line):
    with pytest.raises(UnreadableEnvelope):
        from_line(line)


def test_attributes_of_others_are_ignored_in_a_line():
    stranger = to_structured(PLACED, b"{}") | {"knativearrival": "x", "hops": 3}
    assert from_line(msgspec.json.encode(stranger)) == (PLACED, b"{}")
