import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from till_events.codec import encode, type_of
from till_events.customer import CustomerRegistered
from till_events.envelope import Envelope
from till_events.ids import CustomerId
from till_events.order import StoreOpened
from tillstream.events.choice import Place, moment, types_like
from tillstream.events.masking import masked
from tillstream.events.recorded import Recorded
from tillstream.events.telling import LONGEST, json_line, line, shown, summary
from tillstream.exits import CommandFailed, Exit
from tillstream.hexdump import hexdump, readable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REGISTERED = CustomerRegistered(
    occurred_at=NOON, customer_id=CustomerId("c-1"), name="Łukasz Król", phones=("+48600000001",), locale="pl"
)


def recorded(data: bytes, kind: str = type_of(CustomerRegistered), subject: str = "customer-c-1") -> Recorded:
    return Recorded(
        Envelope(
            id="019a",
            type=kind,
            source="/tillstream/customer",
            subject=subject,
            key="c-1",
            sequence=1,
            position=7,
            time=NOON,
            recorded_at=NOON + timedelta(milliseconds=250),
            correlation_id="x",
        ),
        data,
    )


def test_what_tells_who_somebody_is_is_masked_and_the_rest_stays() -> None:
    seen = json.loads(masked(type_of(REGISTERED), encode(REGISTERED)))
    assert (seen["name"], seen["phones"], seen["locale"]) == ("***", ["***"], "pl")
    assert seen["customer_id"] == "c-1"


def test_content_without_anything_personal_stays_the_very_same_bytes() -> None:
    data = (
        b'{"occurred_at":"2026-11-22T12:00:00Z",  "store_id":"s-1","name":"Main Street","zone":"UTC","currency":"EUR"}'
    )
    assert masked(type_of(StoreOpened), data) is data


@pytest.mark.parametrize("data", [b'{"name": "Anna", "friends": [{"of": "Ewa"}]}', b"Anna and Ewa", b""])
def test_of_what_this_code_does_not_know_no_value_is_shown(data: bytes) -> None:
    seen = masked("tillstream.bakery.CakeBaked.v1", data)
    assert b"Anna" not in seen
    assert b"Ewa" not in seen
    assert json.loads(seen)


def test_a_line_tells_when_who_what_about_what_and_the_rest_in_brief() -> None:
    told = line(shown(recorded(encode(REGISTERED)), unmask=False)).plain
    assert told.startswith(
        "2026-11-22 12:00:00.250  customer     CustomerRegistered       customer-c-1@1  c-1  name=***"
    )
    assert told.endswith("locale=pl")
    assert "Łukasz" in line(shown(recorded(encode(REGISTERED)), unmask=True)).plain


def test_a_key_that_is_the_stream_itself_is_not_written_twice() -> None:
    assert "  ″  " in line(recorded(b"{}", subject="c-1")).plain


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"customer_id":"c-1","total_minor":1250,"lines":[{},{}],"delivery":{"method":"courier","at":null}}',
         "total_minor=1250 lines=2 delivery.method=courier"),
        (b'{"tags":["a","b"],"more":[1,2,3,4]}', "tags=a,b more=4"),
        (b"\xff\x00", "2 bytes that are not JSON"),
        (b"[1]", "[1]"),
    ],
)  # fmt: skip
def test_the_content_in_brief(data: bytes, told: str) -> None:
    assert summary(recorded(data)) == told


def test_the_content_in_brief_is_brief() -> None:
    assert len(summary(recorded(json.dumps({"text": "x" * 1000}).encode()))) == LONGEST


def test_a_json_line_holds_what_is_not_json_as_base64() -> None:
    assert json.loads(json_line(recorded(b'{"a":1}')))["data"] == {"a": 1}
    assert base64.b64decode(json.loads(json_line(recorded(b"\xff\x00")))["data_base64"]) == b"\xff\x00"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("order-01a201a6-a663-778c-84c9-e571861a6379", Place(stream="order-01a201a6-a663-778c-84c9-e571861a6379")),
        ("01A201A6-a663-778c-84c9-e571861a6379", Place(event_id="01a201a6-a663-778c-84c9-e571861a6379")),
        ("order-1@12", Place(stream="order-1", version=12)),
        ("customer-a@b", Place(stream="customer-a@b")),
        ("@1", Place(stream="@1")),
    ],
)
def test_what_is_typed_names_an_event_a_stream_or_a_version_of_it(text: str, place: Place) -> None:
    assert Place.of(text) == place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", NOON - timedelta(minutes=10)),
        ("2h", NOON - timedelta(hours=2)),
        ("3d", NOON - timedelta(days=3)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T13:00:00+01:00", NOON),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time_in_utc(text: str, expected: datetime) -> None:
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["yesterday", "10x", "-3d", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        moment(text, NOON)
    assert refused.value.code is Exit.USAGE


def test_types_are_named_in_full_in_part_or_by_a_pattern() -> None:
    (placed,) = types_like(["OrderPlaced"]) or ()
    assert placed == "tillstream.order.OrderPlaced.v1"
    assert types_like(["orderplaced"]) == types_like([placed]) == {placed}
    assert types_like(["Order*"]) == types_like(["tillstream.order.Order*"])
    assert types_like([]) is None
    with pytest.raises(CommandFailed, match="there is no event Cake"):
        types_like(["Cake"])


def test_bytes_are_dumped_sixteen_to_a_line_with_their_text() -> None:
    assert hexdump(b"0123456789abcdef\x00").splitlines() == [
        "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        "00000010  00                                               .",
    ]
    assert hexdump(b"") == ""
    assert (readable(b'{"a": 1}'), readable(b"\xff")) == ({"a": 1}, None)
