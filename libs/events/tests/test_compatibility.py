from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, defstruct

import till_events.catalogue  # noqa: F401 - declares every event
from till_events.base import declarations
from till_events.contract.compatibility import breaches
from till_events.contract.schema import Schema, event_schema, schema_path
from till_events.event import Event, Moment, Personal, known
from till_events.registry import Declaration

Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
OptionalText = (str | None, None)
NOTHING = msgspec.field(default_factory=dict)


def struct(name: str, bases: tuple[type, ...] = (), **fields: Any) -> type:
    """A class with these fields: a type is required, a pair of type and default is optional."""
    pairs = [(n, *field) if isinstance(field, tuple) else (n, field) for n, field in fields.items()]
    return defstruct(name, pairs, bases=bases or None, frozen=True, kw_only=True, omit_defaults=True)


def line(name: str = "Line", **changes: Any) -> type:
    fields = {
        "product_id": str,
        "paid_minor": int,
        "unit": (str, "C62"),
        "note": (Annotated[str, Personal] | None, None),
    }
    return struct(name, **{n: field for n, field in (fields | changes).items() if field is not UNSET})


def contract(row: type | None = None, *, owner: str = "order", major: int = 1, **changes: Any) -> Schema:
    """The contract of an order, with these changes; `UNSET` takes a field away."""
    fields = {
        "order_id": str,
        "currency": Currency,
        "total_minor": int,
        "channel": Annotated[str, known("store", "web")],
        "lines": tuple[row or line(), ...],
        "tags": (dict[str, str], NOTHING),
        "comment": (Annotated[str | None, Personal], None),
        "promised": (Moment | None, None),
        "customer_id": OptionalText,
    }
    kept = {n: field for n, field in (fields | changes).items() if field is not UNSET}
    cls = struct("OrderPlaced" if major == 1 else f"OrderPlacedV{major}", (Event,), **kept)
    return event_schema(Declaration(cls=cls, owner=owner, name="OrderPlaced", major=major, public=True))


PATH = "events/order/OrderPlaced.v1.json"


def reasons(new: Schema) -> str:
    return " | ".join(breach.reason for breach in breaches({PATH: contract()}, {PATH: new}))


ALLOWED = {
    "nothing changed": contract(),
    "an optional field was added": contract(seller=OptionalText),
    "an optional field was added to a part": contract(line(seller=OptionalText)),
    "an optional part was added": contract(delivery=(struct("Delivery", street=str) | None, None)),
    "an optional list was added": contract(coupons=(tuple[str, ...], ())),
    "an optional field was dropped": contract(promised=UNSET),
    "a value was added to an open list": contract(channel=Annotated[str, known("store", "web", "phone")]),
    "a field was marked as personal": contract(order_id=Annotated[str, Personal]),
    "a part was given another name": contract(
        struct("Row", **{f.name: f.type if f.required else (f.type, f.default) for f in msgspec.structs.fields(line())})
    ),
}

REFUSED = {
    "a required field was added": (contract(seller=str), "seller was added and is required"),
    "a required field was added to a part": (contract(line(seller=str)), "lines[].seller was added and is required"),
    "a required field was dropped": (contract(total_minor=UNSET), "total_minor was removed and was required"),
    "a field was renamed": (contract(total_minor=UNSET, amount=int), "amount was added and is required, total_minor was removed"),
    "a field changed its kind": (contract(total_minor=str), "total_minor was integer and is string"),
    "a field of a part changed its kind": (contract(line(paid_minor=str)), "lines[].paid_minor was integer and is string"),
    "whole numbers became any numbers": (contract(total_minor=float), "total_minor was integer and is number"),
    "a list became a single value": (contract(lines=line()), "lines was array and is object"),
    "the values of a map changed their kind": (contract(tags=(dict[str, int], NOTHING)), "tags{} was string and is integer"),
    "a required field became optional": (contract(order_id=(str, "")), "order_id was required and is optional"),
    "an optional field became required": (contract(line(unit=str)), "lines[].unit was optional and is required"),
    "a field may be null now": (contract(order_id=str | None), "order_id was string and is string or null"),
    "a field may not be null any more": (contract(comment=(Annotated[str, Personal], "")), "comment was string or null and is string"),
    "an open list was closed": (contract(channel=Literal["store", "web"]), "could not read"),
    "the mark of a personal field was dropped": (contract(comment=OptionalText), "comment is no longer marked as personal"),
    "the mark was dropped from a field of a part": (contract(line(note=OptionalText)), "lines[].note is no longer marked as"),
    "an absent field means something else": (contract(line(unit=(str, "KGM"))), 'lines[].unit: default was "C62" and is "KGM"'),
    "the form of a text changed": (contract(currency=Annotated[str, msgspec.Meta(pattern="^[a-z]{3}$")]), "currency: pattern was"),
    "a time became any text": (contract(promised=OptionalText), 'promised: format was "date-time" and is null'),
    "a number got a limit": (contract(total_minor=Annotated[int, msgspec.Meta(ge=0)]), "total_minor: minimum was null and is 0"),
    "the event moved to another topic": (contract(owner="customer"), "x-topic was till.order and is till.customer"),
    "the event got another key": (contract(customer_id=UNSET), "x-key was ['customer_id', 'stream'] and is ['stream']"),
}  # fmt: skip


@pytest.mark.parametrize("new", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_breaks_nobody_is_allowed(new):
    assert reasons(new) == ""


@pytest.mark.parametrize(("new", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_breaks_somebody_is_refused_and_named(new, reason):
    assert reason in reasons(new)


def test_a_published_event_must_not_disappear():
    (breach,) = breaches({PATH: contract()}, {})
    assert str(breach) == f"{PATH}: is published and must not disappear"


def test_a_new_major_is_free_as_long_as_the_old_one_stays():
    newer = {"events/order/OrderPlaced.v2.json": contract(major=2, total_minor=UNSET, customer_id=str)}
    assert breaches({PATH: contract()}, newer | {PATH: contract()}) == []
    assert [breach.path for breach in breaches({PATH: contract()}, newer)] == [PATH]


def test_a_new_event_is_free():
    assert breaches({}, {PATH: contract()}) == []


def test_every_event_of_ours_is_compatible_with_itself():
    ours = {schema_path(declared): event_schema(declared) for declared in declarations() if declared.public}
    assert len(ours) >= 40
    assert breaches(ours, ours) == []
