"""Of commands: what tills were told is what the logs say, once, under one answer and in one trace."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from faultlab.lab.evidence import Evidence
from faultlab.lab.history import OK
from till_events.customer import CustomerRegistered
from till_events.loyalty import PointsAdjusted, PointsHeld, PointsRedeemed
from till_events.order import OrderPlaced, OrderStatusChanged, PurchaseRecorded, StoreOpened

Broken = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Trail:
    """In which log a command of a kind is found, as which event, by what, and about how much."""

    service: str
    event: type[Any]
    name: Callable[[Any], str | None]
    amount: Callable[[Any], int] = lambda _: 0


TRAILS = {
    "store": Trail("order", StoreOpened, lambda e: e.store_id),
    "receipt": Trail("order", PurchaseRecorded, lambda e: e.receipt_number, lambda e: e.total_minor),
    "order": Trail("order", OrderPlaced, lambda e: e.external_id, lambda e: e.total_minor),
    "cancellation": Trail("order", OrderStatusChanged, lambda e: e.reason),
    "registration": Trail("customer", CustomerRegistered, lambda e: e.customer_id),
    "points": Trail("loyalty", PointsAdjusted, lambda e: e.reason, lambda e: e.points),
    "redemption": Trail("loyalty", PointsHeld, lambda e: e.order_id, lambda e: e.points),
    "capture": Trail("loyalty", PointsRedeemed, lambda e: e.purchase_id, lambda e: e.points),
}


def commands(evidence: Evidence) -> Broken:
    """I1 and I10."""
    found = {kind: _found(evidence, trail) for kind, trail in TRAILS.items()}
    asked: dict[str, set[str]] = defaultdict(set)
    for command in evidence.history.values():
        asked[command.kind] |= set(command.subjects)
        for subject, amount in command.subjects.items():
            there = found[command.kind].get(subject, [])
            if not command.least <= len(there) <= command.most:
                yield "I1", f"{command.kind} {subject} ended {command.outcome} and is in the log {len(there)} times"
            elif any(one != amount for one in there):
                yield "I1", f"{command.kind} {subject} was about {amount}, the log says {there}"
        if len(command.answers) > 1:
            yield "I10", f"{command.key} was answered {sorted(command.answers)}"
        if others := [status for status in command.refused_others if status != 422]:
            yield "I10", f"another request under {command.key} was answered {others}"
    for kind, by_name in found.items():
        for name in sorted(by_name.keys() - asked[kind]):
            yield "I1", f"{kind} {name} is in the log, and nobody asked for it"


def lost(evidence: Evidence) -> int:
    """Return how many commands were acknowledged and are not in the log."""
    found = {kind: _found(evidence, trail) for kind, trail in TRAILS.items()}
    done = [command for command in evidence.history.values() if command.outcome == OK]
    return sum(subject not in found[command.kind] for command in done for subject in command.subjects)


def _found(evidence: Evidence, trail: Trail) -> dict[str, list[int]]:
    by_name: dict[str, list[int]] = defaultdict(list)
    for row in evidence.log(trail.service):
        if type(row.event) is trail.event:
            by_name[str(trail.name(row.event))].append(trail.amount(row.event))
    return by_name


def traces(evidence: Evidence) -> Broken:
    """I14."""
    sent_in = {s: k.trace for k in evidence.history.values() if k.outcome == OK and k.trace for s in k.subjects}
    of_event: dict[str, str] = {}
    for trail in TRAILS.values():
        for row in evidence.log(trail.service):
            if type(row.event) is trail.event and (trace := sent_in.get(str(trail.name(row.event)))):
                of_event[row.id] = trace
                if row.traceparent[3:35] != trace:
                    yield "I14", f"{row.type} {row.id} was asked for in trace {trace}, recorded in {row.traceparent!r}"
    for row in (row for log in evidence.logs.values() for row in log):
        if (caused := of_event.get(row.causation_id or "")) and row.traceparent[3:35] != caused:
            yield "I14", f"{row.type} {row.id} does not go on with the trace of what caused it"
    for record in (record for topic in evidence.topics.values() for records in topic for record in records):
        carried = of_event.get(record.headers.get("ce_id", b"").decode(errors="replace"))
        if carried and record.headers.get("traceparent", b"")[3:35].decode() != carried:
            yield "I14", f"the record of {record.headers['ce_id']!r} does not carry its trace"
