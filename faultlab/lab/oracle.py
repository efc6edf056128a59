"""What must be true when all is at rest: logs are folded by hand, in order, and everything else is compared with that. Nothing is asked."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from faultlab.lab.evidence import Evidence, Logged
from faultlab.lab.history import OK
from till_events.customer import CustomerRegistered
from till_events.loyalty import PointsAccrued, PointsAdjusted, PointsHeld, PointsRedeemed
from till_events.notification import MessageRequested, MessageSent
from till_events.order import OrderPlaced, OrderStatusChanged, PurchaseRecorded, StoreOpened

INVARIANTS = {
    "I1": "a command that was accepted is in the log once, one that was refused is not, and one of unknown fate at most once",
    "I2": "positions are gapless and in commit order, versions of a stream are 1 to n",
    "I3": "who reads the topic from its beginning finds every public event of the log in order, and nothing that was never recorded",
    "I4": "every purchase gave its points once, in order; balances are the sum of the ledger and never below zero",
    "I5": "read models are what the log folds to, and equal their rebuild",
    "I6": "every cancelled order led to one message that was sent, and the gateway has each message once",
    "I7": "the sums by store are the sums of the receipts",
    "I8": "a checkpoint is behind the last record, and never moved back unless it was moved on purpose",
    "I9": "what was delivered was either taken or is in the dead letters, and parked keys are released",
    "I10": "one idempotency key has one answer, and another request under it is refused",
    "I13": "after healing everything comes to rest and is ready",
    "I14": "a command, its record on the topic and what others made of it are one trace",
}
"""The numbers are those of the design. I11 and I12 are not of this lab: nobody is erased here, and there is one tenant."""

_KNOWN_BY: dict[str, tuple[str, type[Any], Callable[[Any], str | None], Callable[[Any], int]]] = {
    "store": ("order", StoreOpened, lambda e: e.store_id, lambda _: 0),
    "receipt": ("order", PurchaseRecorded, lambda e: e.receipt_number, lambda e: e.total_minor),
    "order": ("order", OrderPlaced, lambda e: e.external_id, lambda e: e.total_minor),
    "cancellation": ("order", OrderStatusChanged, lambda e: e.reason, lambda _: 0),
    "registration": ("customer", CustomerRegistered, lambda e: e.customer_id, lambda _: 0),
    "points": ("loyalty", PointsAdjusted, lambda e: e.reason, lambda e: e.points),
    "redemption": ("loyalty", PointsHeld, lambda e: e.order_id, lambda e: e.points),
    "capture": ("loyalty", PointsRedeemed, lambda e: e.purchase_id, lambda e: e.points),
}
"""In which log a command of each kind is found, as which event, by what, and about how much."""


def judge(evidence: Evidence) -> dict[str, str]:
    """Return the first counter-example of each invariant that is broken."""
    broken: dict[str, str] = {}
    for check in (_commands, _logs, _topics, _points, _read_models, _messages, _checkpoints, _letters, _traces):
        for invariant, example in check(evidence):
            broken.setdefault(invariant, example)
    if evidence.unsettled:
        broken.setdefault("I13", evidence.unsettled)
    return broken


Broken = Iterator[tuple[str, str]]


def _commands(evidence: Evidence) -> Broken:
    found: dict[str, dict[str | None, list[int]]] = {}
    for kind, (service, cls, name, amount) in _KNOWN_BY.items():
        by_name = found[kind] = defaultdict(list)
        for row in evidence.log(service):
            if type(row.event) is cls:
                by_name[name(row.event)].append(amount(row.event))
    asked: dict[str, set[str]] = defaultdict(set)
    for command in evidence.history.values():
        asked[command.kind] |= set(command.subjects)
        for subject, amount in command.subjects.items():
            there = found[command.kind].get(subject, [])
            if not command.least <= len(there) <= command.most:
                yield "I1", f"{command.kind} {subject} ended {command.outcome} and is in the log {len(there)} times"
            if any(one != amount for one in there):
                yield "I1", f"{command.kind} {subject} was about {amount}, the log says {there}"
        if len(command.answers) > 1:
            yield "I10", f"{command.key} was answered {sorted(command.answers)}"
        if others := [status for status in command.refused_others if status != 422]:
            yield "I10", f"another request under {command.key} was answered {others}"
    for kind, by_name in found.items():
        for name in by_name:
            if name not in asked[kind]:
                yield "I1", f"{kind} {name} is in the log, and nobody asked for it"


def _logs(evidence: Evidence) -> Broken:
    for service, log in evidence.logs.items():
        versions: Counter[str] = Counter()
        for number, row in enumerate(log, start=1):
            versions[row.stream] += 1
            if row.position != number:
                yield "I2", f"{service}: position {row.position} stands where {number} should"
                return
            if row.sequence != versions[row.stream]:
                yield "I2", f"{service} {row.stream}: version {row.sequence} stands where {versions[row.stream]} should"


def _topics(evidence: Evidence) -> Broken:
    rubbish = {value for _, value in evidence.rubbish}
    for service, topic in evidence.topics.items():
        log = {row.position: row for row in evidence.log(service)}
        reached: set[int] = set()
        for number, records in enumerate(topic):
            last = 0
            for record in records:
                if record.value in rubbish:
                    continue
                row = log.get(record.position)
                if row is None or (record.value, record.headers.get("ce_id")) != (row.data, row.id.encode()):
                    yield "I3", f"{service}/{number} holds at {record.offset} what was never recorded"
                    continue
                if record.position > last == int(record.headers["ce_prevposition"]):
                    last = record.position
                    reached.add(last)
        if missing := {row.position for row in log.values() if row.public} - reached:
            yield "I3", f"who reads the topic of {service} never comes to positions {sorted(missing)[:5]}"


def _points(evidence: Evidence) -> Broken:
    bought: dict[str, list[str]] = defaultdict(list)
    for row in evidence.log("order"):
        if isinstance(row.event, PurchaseRecorded) and row.event.customer_id:
            bought[row.event.customer_id].append(row.event.purchase_id)
    given: dict[str, list[str]] = defaultdict(list)
    balances: Counter[str] = Counter()
    redeemed: set[str] = set()
    for row in evidence.log("loyalty"):
        event = row.event
        match event:
            case PointsAccrued():
                given[event.customer_id].append(event.purchase_id)
                balances[event.account_id] += event.points
            case PointsAdjusted():
                balances[event.account_id] += event.points
            case PointsRedeemed():
                balances[event.account_id] -= event.points
                if event.hold_id in redeemed:
                    yield "I4", f"hold {event.hold_id} paid twice"
                redeemed.add(event.hold_id)
        if (account := getattr(event, "account_id", None)) and balances[account] < 0:
            yield "I4", f"{account} was at {balances[account]} points"
    for customer in sorted(bought.keys() | given.keys()):
        if bought[customer] != given[customer]:
            yield "I4", f"{customer} bought {_parted(bought[customer], given[customer])}"
    for account, points in evidence.accounts.items():
        if points != balances[account]:
            yield "I4", f"{account} shows {points} points, its ledger comes to {balances[account]}"


def _parted(wanted: list[str], found: list[str]) -> str:
    for number, (one, other) in enumerate(zip(wanted, found, strict=False)):
        if one != other:
            return f"{one} as number {number + 1} and was given points for {other}"
    return f"{len(wanted)} times and was given points {len(found)} times"


def _read_models(evidence: Evidence) -> Broken:
    for name, equal in evidence.equal.items():
        if not equal:
            yield "I5", f"{name} is not what its rebuild is"
    told: dict[str, tuple[str, int]] = {}
    for row in evidence.log("order"):
        if isinstance(row.event, PurchaseRecorded):
            told[row.event.purchase_id] = row.event.store_id, row.event.total_minor
    for name in sorted(told.keys() | evidence.receipts.keys()):
        if told.get(name) != evidence.receipts.get(name):
            yield "I5", f"receipt {name} reads {evidence.receipts.get(name)}, the log says {told.get(name)}"
    wanted, found = _sums(told), _sums(evidence.receipts)
    if wanted != found:
        yield "I7", f"stores sold {dict(found)}, by the log {dict(wanted)}"


def _sums(receipts: Any) -> Counter[str]:
    sums: Counter[str] = Counter()
    for store, total in receipts.values():
        sums[store] += total
    return sums


def _messages(evidence: Evidence) -> Broken:
    moved = [r.id for r in evidence.log("order") if isinstance(r.event, OrderStatusChanged) and r.event.customer_id]
    requested = [r.event for r in evidence.log("notification") if isinstance(r.event, MessageRequested) and r.event.channel == "sms"]
    asked = Counter(one.trigger_event_id for one in requested)
    of_orders = {one.message_id for one in requested if one.trigger_event_id in set(moved)}
    sent = Counter(r.event.message_id for r in evidence.log("notification") if isinstance(r.event, MessageSent))
    taken = {call.key for call in evidence.calls}
    for trigger in moved:
        if asked[trigger] != 1:
            yield "I6", f"the cancellation {trigger} was to be told {asked[trigger]} times"
    for message in of_orders | set(sent):
        if sent[message] != 1:
            yield "I6", f"message {message} is recorded as sent {sent[message]} times"
        if message not in taken:
            yield "I6", f"message {message} never reached the gateway"
    if strangers := taken - set(sent):
        yield "I6", f"the gateway was given {sorted(strangers)[0]}, of which no record says that it was sent"
    for key, words in _words(evidence).items():
        if len(words) > 1:
            yield "I6", f"message {key} was put in {len(words)} different words"


def _words(evidence: Evidence) -> dict[str, set[tuple[str, str]]]:
    words: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for call in evidence.calls:
        words[call.key].add((call.to, call.text))
    return words


def _checkpoints(evidence: Evidence) -> Broken:
    for service, places in evidence.checkpoints.items():
        for owner, number, offset, position in places:
            records = evidence.topics[owner][number]
            end = records[-1].offset + 1 if records else 0
            last = max((record.position for record in records), default=0)
            if position != last or (offset != end and owner not in evidence.wiped):
                yield "I8", f"{service} stands at {owner}/{number} {offset} ({position}), the end is {end} ({last})"
        for _, topic, number, from_offset, to_offset, from_position, to_position in evidence.went_back.get(service, ()):
            if to_position < from_position or topic.rpartition(".")[2] not in evidence.wiped:
                told = f"{from_offset} ({from_position}) to {to_offset} ({to_position})"
                yield "I8", f"{service} went back on {topic}/{number} from {told}"


def _letters(evidence: Evidence) -> Broken:
    rubbish = {value for _, value in evidence.rubbish}
    for service, letters in evidence.letters.items():
        for letter in letters:
            if not letter.settled:
                yield "I9", f"{service} has an open letter: {letter.reason} at {letter.topic}/{letter.partition}:{letter.offset}"
            if letter.value not in rubbish and letter.reason != "waiting":
                yield "I9", f"{service} buried {letter.topic}/{letter.partition}:{letter.offset} as {letter.reason}"
        if evidence.parked.get(service):
            yield "I9", f"{service} has {evidence.parked[service]} parked keys"
        read = {owner for owner, *_ in evidence.checkpoints[service]}
        kept = {letter.value for letter in letters}
        for owner, value in evidence.rubbish:
            if owner in read and owner not in evidence.wiped and value not in kept:
                yield "I9", f"the rubbish {value!r} on the topic of {owner} is not among the letters of {service}"


def _traces(evidence: Evidence) -> Broken:
    traces = {s: k.trace for k in evidence.history.values() if k.outcome == OK and k.trace for s in k.subjects}
    of_event: dict[str, str] = {}
    rows: dict[str, Logged] = {}
    for service, log in evidence.logs.items():
        for row in log:
            rows[row.id] = row
            for kind, (owner, cls, name, _) in _KNOWN_BY.items():
                if owner == service and type(row.event) is cls and (trace := traces.get(name(row.event) or "")):
                    of_event[row.id] = trace
                    if row.traceparent[3:35] != trace:
                        yield "I14", f"{kind} {name(row.event)} was sent in trace {trace}, recorded in {row.traceparent!r}"
    for row in rows.values():
        if (trace := of_event.get(row.causation_id or "")) and row.traceparent[3:35] != trace:
            yield "I14", f"{row.type} {row.id} does not go on with the trace of what caused it"
    for topic in evidence.topics.values():
        for record in (record for records in topic for record in records):
            name = record.headers.get("ce_id", b"").decode()
            if (trace := of_event.get(name)) and record.headers.get("traceparent", b"")[3:35].decode() != trace:
                yield "I14", f"the record of {name} does not carry its trace"
