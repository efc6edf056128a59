"""What every service records about its own log: that it was signed up to a point. With a public key it is all an auditor needs."""

from till_events.base import Event, Whole, published
from till_events.envelope import format_time


class LogSigned(Event, frozen=True, kw_only=True):
    """The log of a service was signed up to a position: nothing up to there can be changed any more without being noticed.

    It speaks of the events after `since`, up to and including `position`. `hash` is the chain over all events of the log up to there,
    `public_hash` the one over the public ones; `since_hash` and `since_public_hash` are what they were at `since` (hexadecimal). `marks`
    holds 13 characters for each of these events: `+` if it is public, `-` if private, then the first 12 digits of its hash. `key_id` names
    the key, `signature` is Ed25519 over `statement(…)`, and `next_key` announces the public key that may sign from now on as well.
    """

    source: str
    since: Whole
    since_hash: str
    since_public_hash: str
    position: Whole
    hash: str
    public_hash: str
    marks: str
    key_id: str
    signature: str
    next_key: str | None = None


@published(by="order")
class OrderLogSigned(LogSigned, frozen=True, kw_only=True):
    """The log of stores, products, receipts and orders was signed up to a position: an auditor can prove it unchanged up to there."""


@published(by="customer")
class CustomerLogSigned(LogSigned, frozen=True, kw_only=True):
    """The log of customers and their consents was signed up to a position: an auditor can prove it unchanged up to there."""


@published(by="loyalty")
class LoyaltyLogSigned(LogSigned, frozen=True, kw_only=True):
    """The log of accounts, cards and points was signed up to a position: an auditor can prove it unchanged up to there."""


@published(by="notification")
class NotificationLogSigned(LogSigned, frozen=True, kw_only=True):
    """The log of messages and their outcomes was signed up to a position: an auditor can prove it unchanged up to there."""


@published(by="analytics")
class AnalyticsLogSigned(LogSigned, frozen=True, kw_only=True):
    """The log of models and scores was signed up to a position: an auditor can prove it unchanged up to there."""


def statement(head: LogSigned) -> bytes:
    """Return the bytes that are signed: what a head says, line by line. None of it can hold a line end."""
    lines = (
        "tillstream.log-signed.v1",
        head.source,
        str(head.since),
        head.since_hash,
        head.since_public_hash,
        str(head.position),
        head.hash,
        head.public_hash,
        head.marks,
        head.key_id,
        head.next_key or "",
        format_time(head.occurred_at).decode(),
    )
    return "\n".join(lines).encode()
