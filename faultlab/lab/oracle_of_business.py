"""Of the business: points, read models, sums, messages. Logs are folded by hand, in order."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from faultlab.lab.evidence import Evidence
from till_events.loyalty import PointsAccrued, PointsAdjusted, PointsRedeemed
from till_events.notification import MessageRequested, MessageSent
from till_events.order import OrderStatusChanged, PurchaseRecorded

Broken = Iterator[tuple[str, str]]


def points(evidence: Evidence) -> Broken:
    """I4."""
    bought: dict[str, list[str]] = defaultdict(list)
    for row in evidence.log("order"):
        if isinstance(row.event, PurchaseRecorded) and row.event.customer_id:
            bought[row.event.customer_id].append(row.event.purchase_id)
    given: dict[str, list[str]] = defaultdict(list)
    for row in evidence.log("loyalty"):
        if isinstance(row.event, PointsAccrued):
            given[row.event.customer_id].append(row.event.purchase_id)
    for customer in sorted(bought.keys() | given.keys()):
        if bought[customer] != given[customer]:
            yield "I4", f"{customer} bought {_parted(bought[customer], given[customer])}"
    yield from _balances(evidence)


def _balances(evidence: Evidence) -> Broken:
    balances: Counter[str] = Counter()
    redeemed: Counter[str] = Counter()
    for row in evidence.log("loyalty"):
        event = row.event
        match event:
            case PointsAccrued() | PointsAdjusted():
                balances[event.account_id] += event.points
            case PointsRedeemed():
                balances[event.account_id] -= event.points
                redeemed[event.hold_id] += 1
                if balances[event.account_id] < 0:
                    yield "I4", f"{event.account_id} was at {balances[event.account_id]} points"
    for hold, times in redeemed.items():
        if times > 1:
            yield "I4", f"hold {hold} paid {times} times"
    for account, shown in evidence.accounts.items():
        if shown != balances[account]:
            yield "I4", f"{account} shows {shown} points, its ledger comes to {balances[account]}"


def _parted(wanted: list[str], found: list[str]) -> str:
    for number, (one, other) in enumerate(zip(wanted, found, strict=False)):
        if one != other:
            return f"{one} as number {number + 1} and was given points for {other}"
    return f"{len(wanted)} times and was given points {len(found)} times"


def doubled(evidence: Evidence) -> int:
    """Return how often something was done again that is done once: points for a purchase, a redemption, a message."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in (row for log in evidence.logs.values() for row in log):
        match row.event:
            case PointsAccrued():
                seen["points", row.event.purchase_id] += 1
            case PointsRedeemed():
                seen["redeemed", row.event.hold_id] += 1
            case MessageSent():
                seen["sent", row.event.message_id] += 1
    return sum(times - 1 for times in seen.values())


def read_models(evidence: Evidence) -> Broken:
    """I5 and I7."""
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
    wanted = _sums(told)
    if wanted != evidence.sales:
        yield "I7", f"stores sold {dict(evidence.sales)} (receipts, minor units), by the log {wanted}"


def _sums(receipts: Mapping[str, tuple[str, int]]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for store, total in receipts.values():
        number, so_far = sums.get(store, (0, 0))
        sums[store] = number + 1, so_far + total
    return sums


def messages(evidence: Evidence) -> Broken:
    """I6."""
    moved = [r.id for r in evidence.log("order") if isinstance(r.event, OrderStatusChanged) and r.event.customer_id]
    requested = [
        r.event
        for r in evidence.log("notification")
        if isinstance(r.event, MessageRequested) and r.event.channel == "sms"
    ]
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
        yield "I6", f"the gateway was given {min(strangers)}, of which no record says that it was sent"
    for key, words in _words(evidence).items():
        if len(words) > 1:
            yield "I6", f"message {key} was put in {len(words)} different words"


def _words(evidence: Evidence) -> dict[str, set[tuple[str, str]]]:
    words: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for call in evidence.calls:
        words[call.key].add((call.to, call.text))
    return words
