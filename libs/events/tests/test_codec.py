from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import till_events.catalogue  # noqa: F401 - declares every event
from till_events.base import declarations
from till_events.codec import (
    MAX_BYTES,
    UnknownMajor,
    UnknownType,
    UnreadableEvent,
    Unrecordable,
    decode,
    encode,
    type_of,
    types_of,
)
from till_events.contract.schema import event_schema
from till_events.order import Line, OrderStatusChanged, PurchaseRecorded, StoreOpened, Tender

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
QUANTITIES = st.decimals(min_value=-(10**9), max_value=10**9, places=3)


def values(kind: msgspec.inspect.Type) -> st.SearchStrategy:  # noqa: C901 - one case for each kind of field
    """Everything a field of this kind may hold."""
    match kind:
        case msgspec.inspect.Metadata():
            return values(kind.type)
        case msgspec.inspect.StructType():
            return structs(kind.cls)
        case msgspec.inspect.StrType():
            return st.from_regex(kind.pattern, fullmatch=True).filter(str.isalpha) if kind.pattern else TEXT
        case msgspec.inspect.IntType():
            return st.integers(kind.ge, kind.le)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.DecimalType():
            return QUANTITIES
        case msgspec.inspect.DateTimeType():
            return MOMENTS
        case msgspec.inspect.DateType():
            return st.dates(date(1900, 1, 1), date(2200, 1, 1))
        case msgspec.inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=2).map(tuple)
        case msgspec.inspect.DictType():
            return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=2)
        case msgspec.inspect.UnionType():
            return st.one_of([values(option) for option in kind.types])
        case msgspec.inspect.NoneType():
            return st.none()
    raise AssertionError(f"no event has had a field of {kind} before: say here what it may hold")


def structs(cls: type[msgspec.Struct]) -> st.SearchStrategy:
    fields = msgspec.inspect.type_info(cls).fields
    required = {field.name: values(field.type) for field in fields if field.required}
    optional = {field.name: values(field.type) for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: cls(**given))


OURS = [declared for declared in declarations() if declared.cls.__module__.startswith("till_events.")]
EVENTS = {declared.type: structs(declared.cls) for declared in OURS}
SCHEMAS = {declared.type: Draft202012Validator(event_schema(declared)) for declared in OURS}


def opened(**changes) -> StoreOpened:
    fields = {
        "occurred_at": datetime(2026, 11, 22, 9, tzinfo=UTC),
        "store_id": "waw-01",
        "name": "Warszawa",
        "zone": "Europe/Warsaw",
        "currency": "PLN",
    }
    return StoreOpened(**(fields | changes))


def bought(quantity: Decimal) -> PurchaseRecorded:
    return PurchaseRecorded(
        occurred_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        purchase_id="p",
        store_id="waw-01",
        till_id="1",
        receipt_number="1",
        business_date=date(2026, 11, 22),
        currency="PLN",
        total_minor=0,
        lines=(Line(line_id=1, product_id="x", quantity=quantity, paid_minor=0),),
        tenders=(Tender("cash", 0),),
    )


STORE_OPENED = type_of(StoreOpened)


@pytest.mark.parametrize("type_name", EVENTS)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_was_recorded_is_read_back_as_it_happened_and_is_what_the_schema_says(type_name, data):
    event = data.draw(EVENTS[type_name])
    recorded = encode(event)
    assert decode(type_name, recorded) == event
    assert encode(decode(type_name, recorded)) == recorded
    SCHEMAS[type_name].validate(msgspec.json.decode(recorded))


def with_news(document):
    if isinstance(document, dict):
        return {name: with_news(value) for name, value in document.items()} | {"added_later": {"deep": [1, None, "x"]}}
    return [with_news(item) for item in document] if isinstance(document, list) else document


def test_fields_added_later_are_ignored_in_every_part(samples):
    for sample in samples:
        if not sample.payload.keys() & {"mapping", "values"}:  # maps of texts hold nothing but texts
            newer = msgspec.json.encode(with_news(sample.payload))
            assert decode(sample.type, newer) == decode(sample.type, sample.data)


def test_a_type_nobody_here_knows_is_to_be_skipped():
    for type_name in (
        "tillstream.catalog.PriceListPublished.v1",
        "tillstream.order.OrderTeleported.v1",
        "com.example.Ping",
        "",
    ):
        with pytest.raises(UnknownType):
            decode(type_name, b"{}")


def test_a_known_event_in_an_unknown_major_must_wait():
    with pytest.raises(UnknownMajor):
        decode("tillstream.order.StoreOpened.v2", encode(opened()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b"\xef\xbb\xbf{}",
        encode(opened()) + b"}",
        encode(opened()).replace(b"Warszawa", b"Warsz\xffwa"),
        encode(opened()).replace(b"Warszawa", rb"Warsz\ud800wa"),
        encode(opened()).replace(b"Warszawa", rb"Warsz\u0000wa"),
        encode(opened()).replace(b"Warszawa", rb"Warsz\\\u0000wa"),
        encode(opened()).replace(b'"Warszawa"', b"NaN"),
        encode(opened()).replace(b'"Warszawa"', b"17"),
        encode(opened()).replace(b'"Warszawa"', b"null"),
        encode(opened()).replace(b"PLN", b"zloty"),
        encode(opened()).replace(b"PLN", rb"PLN\n"),
        encode(opened()).replace(b"09:00:00Z", b"09:00:00"),
        encode(opened()).replace(b"2026-11-22T", b"2026-02-30T"),
        encode(opened())[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        encode(opened())[:-1] + b',"long":"' + b"x" * MAX_BYTES + b'"}',
    ],
    ids=lambda data: data[-40:].decode(errors="replace"),
)
def test_bytes_that_are_not_the_event_are_refused_and_never_blow_up(data):
    with pytest.raises(UnreadableEvent):
        decode(STORE_OPENED, data)


def test_the_event_those_bytes_were_made_from_is_readable():
    assert decode(STORE_OPENED, encode(opened())) == opened()


@pytest.mark.parametrize(
    "quantity", ['"NaN"', '"sNaN"', '"Infinity"', '"-Infinity"', '"1e999999"', '"1e-999999"', "NaN", '"six"']
)
def test_a_quantity_no_scale_can_show_is_refused(quantity):
    recorded = encode(bought(Decimal(6))).replace(b'"6"', quantity.encode())
    with pytest.raises(UnreadableEvent):
        decode(type_of(PurchaseRecorded), recorded)


@pytest.mark.parametrize("total", ["9007199254740992", "-9007199254740992", "9" * 25, "9" * 5000, "1.0", "1e3"])
def test_an_amount_that_not_every_reader_can_hold_exactly_is_refused(total):
    recorded = encode(bought(Decimal(6))).replace(b'"total_minor":0', b'"total_minor":' + total.encode())
    with pytest.raises(UnreadableEvent):
        decode(type_of(PurchaseRecorded), recorded)


def test_the_refusal_never_repeats_what_was_written():
    with pytest.raises(UnreadableEvent) as refusal:
        decode("tillstream.customer.CustomerRegistered.v1", b'{"occurred_at":"Anna Kowalska","name":"Anna"}')
    assert "Anna" not in str(refusal.value)


@pytest.mark.parametrize(
    "event",
    [
        opened(occurred_at=datetime(2026, 11, 22, 9)),  # noqa: DTZ001 - that is the point
        opened(name=None),
        opened(name="Warsz\x00awa"),
        opened(name="Warsz\ud800awa"),
        opened(name="x" * MAX_BYTES),
        opened(currency="zloty"),
        opened(country=object()),
    ],
    ids=["no offset", "missing", "NUL", "half a character", "too large", "not a currency", "not JSON at all"],
)
def test_what_nobody_could_read_back_is_never_recorded(event):
    with pytest.raises(Unrecordable):
        encode(event)


def test_a_backslash_somebody_typed_is_only_text():
    event = opened(name=r"C:\u0000 and \\u0000")
    assert decode(STORE_OPENED, encode(event)) == event


def test_what_is_absent_is_not_written():
    assert b"country" not in encode(opened())
    assert b'"country":"PL"' in encode(opened(country="PL"))


def test_a_subscriber_to_a_class_reads_the_types_that_become_it():
    assert types_of(OrderStatusChanged, StoreOpened) == {type_of(OrderStatusChanged), STORE_OPENED}
