"""The oracle finds nothing in a day that went well, and in each of these the one thing that is wrong with it."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from faultlab.lab.evidence import Evidence, Letter, Logged, Record
from faultlab.lab.history import FAIL, OK, Command
from faultlab.lab.oracle import INVARIANTS, judge
from faultlab.lab.provider import Call

from till_events.codec import encode, type_of
from till_events.loyalty import Allocation, PointsAccrued, PointsHeld, PointsRedeemed
from till_events.notification import MessageRequested, MessageSent
from till_events.order import Line, OrderStatusChanged, PurchaseRecorded, Tender

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def row(position, stream, event, *, sequence=1, cause=None, trace=PARENT):
    return Logged(
        event=event,
        position=position,
        stream=stream,
        sequence=sequence,
        id=f"{stream}-{sequence}",
        type=type_of(event),
        key="ann",
        data=encode(event),
        public=True,
        causation_id=cause,
        traceparent=trace,
    )


def bought(number, total=1_000):
    return PurchaseRecorded(
        occurred_at=NOW,
        purchase_id=f"p{number}",
        store_id="S1",
        till_id="1",
        receipt_number=f"R{number}",
        business_date=NOW.date(),
        channel="store",
        currency="USD",
        total_minor=total,
        lines=(Line(line_id=1, product_id="milk", quantity=Decimal(1), paid_minor=total),),
        tenders=(Tender("card", total),),
        customer_id="ann",
    )


def earned(number, points=10):
    return PointsAccrued(
        occurred_at=NOW,
        account_id="a1",
        customer_id="ann",
        lot_id=f"p{number}",
        points=points,
        basis_minor=1_000,
        currency="USD",
        spend_minor=1_000,
        purchase_id=f"p{number}",
        store_id="S1",
        programme_id="main",
        rules_version=1,
        tier="basic",
        available_from=NOW,
        expires_at=NOW,
    )


def held(cls, **more):
    shared = {
        "account_id": "a1",
        "customer_id": "ann",
        "hold_id": "h1",
        "points": 5,
        "allocations": (Allocation("p1", 5),),
    }
    return cls(occurred_at=NOW, value_minor=5, currency="USD", store_id="S1", **shared, **more)


def records(log):
    """What the relay makes of a log, all of it in one partition."""
    found, last = [], 0
    for offset, one in enumerate(log):
        headers = {
            "ce_id": one.id,
            "ce_logposition": one.position,
            "ce_prevposition": last,
            "traceparent": one.traceparent,
        }
        coded = {name: str(value).encode() for name, value in headers.items()}
        found.append(Record(offset, b"ann", one.data, coded))
        last = one.position
    return [found]


@pytest.fixture
def day():
    """Two receipts, points for both, half of them spent, an order that was cancelled, of which the customer was told."""
    moved = OrderStatusChanged(
        occurred_at=NOW, order_id="o1", number="S1-1", store_id="S1", from_status="new", to_status="cancelled",
        from_phase="new", to_phase="cancelled", workflow_version=1, customer_id="ann", reason="W1",
    )  # fmt: skip
    about = {"message_id": "m1", "customer_id": "ann", "channel": "sms", "purpose": "transactional", "template_id": "t"}
    requested = MessageRequested(
        occurred_at=NOW, **about, rule_id="r", trigger_event_id="o1-1", trigger_type="x", not_after=NOW
    )
    sent = MessageSent(occurred_at=NOW, **about, template_version=1, locale="en", address="+48", text="gone")
    order = [row(1, "p1", bought(1)), row(2, "p2", bought(2)), row(3, "o1", moved)]
    loyalty = [
        row(1, "a1", earned(1), cause="p1-1"),
        row(2, "a1", earned(2), sequence=2, cause="p2-1"),
        row(3, "a1", held(PointsHeld, order_id="H1", expires_at=NOW), sequence=3),
        row(4, "a1", held(PointsRedeemed, purchase_id="H1-paid"), sequence=4),
    ]
    notification = [row(1, "m1", requested, cause="o1-1"), row(2, "m1", sent, sequence=2)]
    logs = {"order": order, "loyalty": loyalty, "notification": notification}
    commands = [
        Command("k1", "receipt", {"R1": 1_000}, TRACE, 1, OK, {"a"}),
        Command("k2", "receipt", {"R2": 1_000}, TRACE, 2, OK, {"b"}, [422]),
        Command("k3", "cancellation", {"W1": 0}, TRACE, 1, OK, {"c"}),
        Command("k4", "redemption", {"H1": 5}, TRACE, 1, OK, {"d"}),
        Command("k5", "capture", {"H1-paid": 5}, TRACE, 1, OK, {"e"}),
        Command("k6", "receipt", {"R3": 1_000}, TRACE, 1, FAIL),
    ]
    topics = {service: records(log) for service, log in logs.items()}
    topics["order"][0].append(Record(3, None, b"rubbish 1", {"ce_logposition": b"soon"}))
    return Evidence(
        history={command.key: command for command in commands},
        logs=logs,
        topics=topics,
        checkpoints={"loyalty": [("order", 0, 4, 3)]},
        letters={"loyalty": [Letter("lab.order", 0, 3, b"rubbish 1", "unreadable-envelope", settled=True)]},
        equal={"order.receipts": True},
        accounts={"a1": 15},
        receipts={"p1": ("S1", 1_000), "p2": ("S1", 1_000)},
        sales={"S1": (2, 2_000)},
        calls=[Call("m1", "+48", "gone", 1.0), Call("m1", "+48", "gone", 2.0)],
        rubbish=[("order", b"rubbish 1")],
    )


def test_in_a_day_that_went_well_nothing_is_broken(day):
    assert judge(day) == {}


def _without(log, number):
    del log[number]


WRONGS = {
    "I1 lost": lambda day: day.history["k6"].__setattr__("outcome", OK),
    "I1 refused and done": lambda day: day.history["k1"].__setattr__("outcome", FAIL),
    "I1 nobody asked": lambda day: day.history.pop("k6") and day.history.pop("k2"),
    "I1 another amount": lambda day: day.history["k1"].__setattr__("subjects", {"R1": 999}),
    "I2 a hole": lambda day: _without(day.logs["loyalty"], 2),
    "I2 a version twice": lambda day: day.logs["loyalty"].__setitem__(1, replace(day.logs["loyalty"][1], sequence=1)),
    "I3 not published": lambda day: _without(day.topics["order"][0], 2),
    "I3 out of order": lambda day: day.topics["order"][0].reverse(),
    "I3 never recorded": lambda day: day.rubbish.clear(),
    "I4 points twice": lambda day: day.logs["loyalty"].append(row(5, "a1", earned(2), sequence=5)),
    "I4 no points": lambda day: _without(day.logs["loyalty"], 1),
    "I4 another balance": lambda day: day.accounts.update(a1=16),
    "I4 below zero": lambda day: day.logs["loyalty"].insert(0, day.logs["loyalty"].pop()),
    "I5 differs from its rebuild": lambda day: day.equal.update({"order.receipts": False}),
    "I5 a receipt too few": lambda day: day.receipts.pop("p1"),
    "I6 never asked for": lambda day: _without(day.logs["notification"], 0),
    "I6 never sent": lambda day: day.calls.clear(),
    "I6 sent and not recorded": lambda day: _without(day.logs["notification"], 1),
    "I6 sent in other words": lambda day: day.calls.append(Call("m1", "+48", "come", 3.0)),
    "I7 another sum": lambda day: day.sales.update(S1=(2, 1_999)),
    "I8 not at the end": lambda day: day.checkpoints.update(loyalty=[("order", 0, 2, 2)]),
    "I8 went back": lambda day: day.__setattr__("went_back", {"loyalty": [("c", "lab.order", 0, 4, 2, 3, 2)]}),
    "I9 an open letter": lambda day: day.letters.update(loyalty=[replace(day.letters["loyalty"][0], settled=False)]),
    "I9 rubbish that nobody kept": lambda day: day.letters.update(loyalty=[]),
    "I9 an event buried": lambda day: day.letters["loyalty"].append(
        Letter("lab.order", 0, 1, b"{}", "x", settled=True)
    ),
    "I9 a parked key": lambda day: day.__setattr__("parked", {"loyalty": 1}),
    "I10 two answers": lambda day: day.history["k1"].answers.add("z"),
    "I10 another request taken": lambda day: day.history["k2"].refused_others.append(201),
    "I13 not at rest": lambda day: day.__setattr__("unsettled", "order-1 is not ready"),
    "I14 another trace": lambda day: day.history["k1"].__setattr__("trace", "5" * 32),
    "I14 a reaction out of its trace": lambda day: day.logs["loyalty"].__setitem__(
        0, replace(day.logs["loyalty"][0], traceparent="")
    ),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_is_wrong_is_found_under_its_number(day, wrong):
    changed = deepcopy(day)
    WRONGS[wrong](changed)
    assert wrong.split()[0] in judge(changed)


def test_every_invariant_has_a_day_that_breaks_it():
    assert {wrong.split()[0] for wrong in WRONGS} == set(INVARIANTS)
