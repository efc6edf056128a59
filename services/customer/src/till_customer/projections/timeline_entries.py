"""What each event says in a customer's timeline: one line, with what is needed to understand it and no more."""

from collections.abc import Callable
from typing import Any, NamedTuple

from till_events.analytics import RfmScoreChanged
from till_events.base import Event
from till_events.customer import ConsentGranted, ConsentWithdrawn, CustomerProfileChanged, CustomerRegistered
from till_events.loyalty import (
    LoyaltyAccountOpened,
    LoyaltyCardBlocked,
    LoyaltyCardIssued,
    PointsAccrued,
    PointsAdjusted,
    PointsExpired,
    PointsRedeemed,
    PointsRestored,
    PointsReversed,
    TierChanged,
)
from till_events.notification import MessageFailed, MessageSent, MessageSuppressed
from till_events.order import (
    OrderLinesChanged,
    OrderPaymentRecorded,
    OrderPlaced,
    OrderRefunded,
    OrderStatusChanged,
    PurchaseRecorded,
    PurchaseReturned,
)


class Entry(NamedTuple):
    """A line of a timeline. Money that came in and points that came in are above zero; `reference` is what the line is about."""

    kind: str
    reference: str | None
    store_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    points: int | None = None
    details: dict[str, Any] | None = None


KINDS: dict[type[Event], str] = {
    CustomerRegistered: "profile.registered",
    CustomerProfileChanged: "profile.changed",
    ConsentGranted: "consent.granted",
    ConsentWithdrawn: "consent.withdrawn",
    OrderPlaced: "order.placed",
    OrderLinesChanged: "order.changed",
    OrderPaymentRecorded: "order.paid",
    OrderRefunded: "order.refunded",
    OrderStatusChanged: "order.moved",
    PurchaseRecorded: "purchase.recorded",
    PurchaseReturned: "purchase.returned",
    LoyaltyAccountOpened: "account.opened",
    LoyaltyCardIssued: "card.issued",
    LoyaltyCardBlocked: "card.blocked",
    PointsAccrued: "points.accrued",
    PointsReversed: "points.reversed",
    PointsExpired: "points.expired",
    PointsRedeemed: "points.redeemed",
    PointsRestored: "points.restored",
    PointsAdjusted: "points.adjusted",
    TierChanged: "tier.changed",
    MessageSent: "message.sent",
    MessageSuppressed: "message.suppressed",
    MessageFailed: "message.failed",
    RfmScoreChanged: "rfm.changed",
}


def entry_of(event: Event) -> Entry:
    """Return the line for an event of one of `KINDS`."""
    cls = type(event)
    return _ENTRIES[cls](KINDS[cls], event)


def _registered(kind: str, event: CustomerRegistered) -> Entry:
    source = event.acquisition.source if event.acquisition else None
    return Entry(kind, event.external_id, event.store_id, details={"source": source} if source else None)


def _changed(kind: str, event: CustomerProfileChanged) -> Entry:
    return Entry(kind, None, details={"changed": event.changed})


def _consent(kind: str, event: ConsentGranted | ConsentWithdrawn) -> Entry:
    details = {"purpose": event.purpose, "channel": event.channel, "from": event.collected_from}
    return Entry(kind, None, event.store_id, details=details)


def _placed(kind: str, event: OrderPlaced) -> Entry:
    details = {"number": event.number, "status": event.status, "channel": event.channel}
    return Entry(kind, event.order_id, event.store_id, event.total_minor, event.currency, details=details)


def _lines(kind: str, event: OrderLinesChanged) -> Entry:
    details = {"before_minor": event.total_before_minor}
    return Entry(kind, event.order_id, event.store_id, event.total_after_minor, event.currency, details=details)


def _paid(kind: str, event: OrderPaymentRecorded) -> Entry:
    details = {"method": event.method}
    return Entry(kind, event.order_id, event.store_id, event.amount_minor, event.currency, details=details)


def _refunded(kind: str, event: OrderRefunded) -> Entry:
    details = {"method": event.method}
    return Entry(kind, event.order_id, event.store_id, -event.amount_minor, event.currency, details=details)


def _moved(kind: str, event: OrderStatusChanged) -> Entry:
    details = {"number": event.number, "from": event.from_status, "to": event.to_status, "phase": event.to_phase}
    if event.reason:
        details["reason"] = event.reason
    return Entry(kind, event.order_id, event.store_id, details=details)


def _purchase(kind: str, event: PurchaseRecorded) -> Entry:
    details: dict[str, Any] = {"number": event.receipt_number, "lines": len(event.lines)}
    if event.order_id:
        details["order_id"] = event.order_id
    return Entry(kind, event.purchase_id, event.store_id, event.total_minor, event.currency, details=details)


def _returned(kind: str, event: PurchaseReturned) -> Entry:
    details: dict[str, Any] = {"number": event.return_number, "lines": len(event.lines)}
    if event.purchase_id:
        details["purchase_id"] = event.purchase_id
    return Entry(kind, event.return_id, event.store_id, -event.total_minor, event.currency, details=details)


def _opened(kind: str, event: LoyaltyAccountOpened) -> Entry:
    return Entry(kind, event.account_id, details={"programme": event.programme_id, "tier": event.tier})


def _issued(kind: str, event: LoyaltyCardIssued) -> Entry:
    return Entry(kind, event.card_number)


def _blocked(kind: str, event: LoyaltyCardBlocked) -> Entry:
    return Entry(kind, event.card_number, details={"reason": event.reason})


def _accrued(kind: str, event: PointsAccrued) -> Entry:
    return Entry(kind, event.purchase_id, event.store_id, points=event.points)


def _reversed(kind: str, event: PointsReversed) -> Entry:
    details = {"shortfall": event.shortfall} if event.shortfall else None
    return Entry(kind, event.return_id, points=event.shortfall - event.points, details=details)


def _expired(kind: str, event: PointsExpired) -> Entry:
    return Entry(kind, event.lot_id, points=-event.points)


def _redeemed(kind: str, event: PointsRedeemed) -> Entry:
    reference = event.purchase_id or event.order_id or event.hold_id
    return Entry(kind, reference, event.store_id, event.value_minor, event.currency, -event.points)


def _restored(kind: str, event: PointsRestored) -> Entry:
    details = {"expired": event.expired} if event.expired else None
    return Entry(kind, event.return_id or event.hold_id, points=event.points - event.expired, details=details)


def _adjusted(kind: str, event: PointsAdjusted) -> Entry:
    return Entry(kind, event.adjustment_id, points=event.points, details={"reason": event.reason})


def _tier(kind: str, event: TierChanged) -> Entry:
    return Entry(kind, None, details={"from": event.from_tier, "to": event.to_tier})


def _sent(kind: str, event: MessageSent) -> Entry:
    words = {"text": event.text} | ({"subject": event.subject} if event.subject else {})
    return Entry(kind, event.message_id, details=_message(event) | words)


def _suppressed(kind: str, event: MessageSuppressed) -> Entry:
    return Entry(kind, event.message_id, details=_message(event) | {"reason": event.reason})


def _failed(kind: str, event: MessageFailed) -> Entry:
    return Entry(kind, event.message_id, details=_message(event))


def _message(event: MessageSent | MessageSuppressed | MessageFailed) -> dict[str, Any]:
    about = {"channel": event.channel, "purpose": event.purpose, "template": event.template_id}
    return about | ({"order_id": event.order_id} if event.order_id else {})


def _rfm(kind: str, event: RfmScoreChanged) -> Entry:
    return Entry(kind, None, details={"from": event.previous_group, "to": event.group, "as_of": event.as_of})


_ENTRIES: dict[type[Event], Callable[[str, Any], Entry]] = {
    CustomerRegistered: _registered,
    CustomerProfileChanged: _changed,
    ConsentGranted: _consent,
    ConsentWithdrawn: _consent,
    OrderPlaced: _placed,
    OrderLinesChanged: _lines,
    OrderPaymentRecorded: _paid,
    OrderRefunded: _refunded,
    OrderStatusChanged: _moved,
    PurchaseRecorded: _purchase,
    PurchaseReturned: _returned,
    LoyaltyAccountOpened: _opened,
    LoyaltyCardIssued: _issued,
    LoyaltyCardBlocked: _blocked,
    PointsAccrued: _accrued,
    PointsReversed: _reversed,
    PointsExpired: _expired,
    PointsRedeemed: _redeemed,
    PointsRestored: _restored,
    PointsAdjusted: _adjusted,
    TierChanged: _tier,
    MessageSent: _sent,
    MessageSuppressed: _suppressed,
    MessageFailed: _failed,
    RfmScoreChanged: _rfm,
}
