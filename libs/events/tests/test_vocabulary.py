import re
from collections.abc import Iterator
from itertools import chain

import msgspec
import pytest

import till_events.catalogue  # noqa: F401 - declares every event
from till_events.base import Event, Personal, declarations, fields_marked
from till_events.contract.schema import event_schema, key_of
from till_events.event import EXACT
from till_events.order import OrderPlaced
from till_events.topics import OWNERS, source_of, topic_of

OURS = [declared for declared in declarations() if declared.cls.__module__.startswith("till_events.")]
EVERY = pytest.mark.parametrize("declared", OURS, ids=lambda declared: declared.type)

PERSONAL = {
    "ConsentGranted": {"address"},
    "ConsentWithdrawn": {"address"},
    "CustomerProfileChanged": {"name", "phones", "emails", "birth_date", "gender"},
    "CustomerRegistered": {"name", "phones", "emails", "birth_date", "gender", "acquisition.answer"},
    "MessageRequested": {"values"},
    "MessageSent": {"address", "text", "subject"},
    "OrderPlaced": {"delivery.address", "comment"},
    "PointsAdjusted": {"comment"},
}
"""The register of personal data: every field of an event that tells who somebody is. A new one is added here knowingly."""


def fields(cls: type[msgspec.Struct]) -> Iterator[tuple[str, msgspec.inspect.Type]]:
    """Every field of an event and of its parts, with every kind of value it may hold."""
    for field in msgspec.inspect.type_info(cls).fields:
        for kind in kinds(field.type):
            yield field.name, kind
            if isinstance(kind, msgspec.inspect.StructType):
                yield from fields(kind.cls)


def kinds(kind: msgspec.inspect.Type) -> Iterator[msgspec.inspect.Type]:
    match kind:
        case msgspec.inspect.Metadata():
            yield from kinds(kind.type)
        case msgspec.inspect.UnionType():
            yield from chain.from_iterable(kinds(option) for option in kind.types)
        case msgspec.inspect.VarTupleType():
            yield from chain([kind], kinds(kind.item_type))
        case _:
            yield kind


def test_the_personal_fields_are_exactly_those_in_the_register():
    marked = {declared.name: set(fields_marked(declared.cls, Personal)) for declared in OURS}
    assert {name: fields for name, fields in marked.items() if fields} == PERSONAL


def test_the_mark_reaches_the_schema_of_a_part_and_of_a_field_that_may_be_absent():
    schema = event_schema(next(declared for declared in OURS if declared.cls is OrderPlaced))
    assert schema["properties"]["comment"]["x-pii"] is True
    assert schema["$defs"]["Delivery"]["properties"]["address"]["x-pii"] is True
    assert "x-pii" not in schema["properties"]["order_id"]


@EVERY
def test_every_event_says_what_it_means_in_a_shop(declared):
    sentence = (declared.cls.__doc__ or "").partition("\n")[0]
    assert len(sentence) > 20
    assert sentence.rstrip().endswith((".", ":")), sentence
    assert declared.cls.__doc__ != Event.__doc__


@EVERY
def test_every_event_is_frozen_and_named_in_the_words_of_the_field(declared):
    assert declared.cls.__struct_config__.frozen
    assert declared.cls.__struct_config__.omit_defaults
    assert re.fullmatch(r"([A-Z][a-z]+)+", declared.name)
    assert declared.owner in OWNERS
    assert declared.type == f"tillstream.{declared.owner}.{declared.name}.v{declared.major}"
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) for name, _ in fields(declared.cls))


@EVERY
def test_numbers_are_whole_and_within_what_every_reader_holds_exactly(declared):
    for name, kind in fields(declared.cls):
        assert not isinstance(kind, msgspec.inspect.FloatType), name
        if isinstance(kind, msgspec.inspect.IntType):
            assert (kind.ge, kind.le) == (-EXACT, EXACT), name


@EVERY
def test_money_has_its_currency_beside_it(declared):
    names = {name for name, _ in fields(declared.cls)}
    has_money = any(name.endswith("_minor") for name in names)
    assert has_money <= ("currency" in names)


@EVERY
def test_times_carry_their_offset(declared):
    for name, kind in fields(declared.cls):
        if isinstance(kind, msgspec.inspect.DateTimeType):
            assert kind.tz is True, name


@EVERY
def test_lists_of_values_stay_open(declared):
    for name, kind in fields(declared.cls):
        assert not isinstance(kind, msgspec.inspect.LiteralType | msgspec.inspect.EnumType), name


@EVERY
def test_nothing_personal_can_become_a_key_or_a_header(declared):
    personal = set(fields_marked(declared.cls, Personal))
    assert personal.isdisjoint({"customer_id", "store_id"})
    assert set(key_of(declared)) <= {"customer_id", "stream"}


def test_each_owner_has_one_topic_and_one_source():
    assert [topic_of(owner) for owner in OWNERS] == [
        "till.order",
        "till.customer",
        "till.loyalty",
        "till.notification",
        "till.analytics",
    ]
    assert source_of("order") == "/tillstream/order"


def test_what_is_published_is_declared_in_the_published_language():
    assert all(declared.cls.__module__.startswith("till_events.") for declared in declarations() if declared.public)


def test_a_field_of_a_part_is_named_by_its_path():
    assert fields_marked(OrderPlaced, Personal) == ["delivery.address", "comment"]
