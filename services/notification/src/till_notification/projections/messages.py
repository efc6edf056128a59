"""Every message with what became of it: the history a customer or an auditor asks about."""

from collections.abc import Iterable, Sequence
from typing import Any

from till_events.notification import (
    MessageDeferred,
    MessageFailed,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
)
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.projection import Projection
from till_platform.projections.reads import Reads
from till_platform.projections.table import Table

MESSAGES = Table(
    "messages",
    {
        "message_id": "text",
        "customer_id": "text NOT NULL",
        "channel": "text NOT NULL",
        "purpose": "text NOT NULL",
        "template_id": "text NOT NULL",
        "rule_id": "text NOT NULL",
        "trigger_type": "text NOT NULL",
        "trigger_event_id": "text NOT NULL",
        "order_id": "text",
        "store_id": "text",
        "urgent": "boolean NOT NULL",
        "requested_at": "timestamptz NOT NULL",
        "not_after": "timestamptz NOT NULL",
        "outcome": "text NOT NULL",
        "settled_at": "timestamptz",
        "deferred_until": "timestamptz",
        "reason": "text",
        "attempts": "integer",
        "template_version": "integer",
        "locale": "text",
        "address": "text",
        "subject": "text",
        "text": "text",
        "consent_event_id": "text",
        "provider_message_id": "text",
    },
    key=("message_id",),
    indexes=(
        "(requested_at DESC, message_id DESC)",
        "(customer_id, requested_at DESC, message_id DESC)",
        "(order_id) WHERE order_id IS NOT NULL",
        "(outcome, reason)",
    ),
)
_COLUMNS = tuple(MESSAGES.columns)
_LISTED = ", ".join(name for name in _COLUMNS if name not in ("subject", "text"))


class Messages(Projection):
    """One row per message; `outcome` is pending, deferred, sent, suppressed or failed, `reason` why it was not sent."""

    name = "messages"
    of = (MessageRequested, MessageDeferred, MessageSuppressed, MessageSent, MessageFailed)
    tables = (MESSAGES,)

    def fold(self, batch: Batch, db: Db) -> None:
        new = {(fact.event.message_id,) for fact in batch.of(MessageRequested)}
        others = {(fact.event.message_id,) for fact in batch} - new
        rows = {key: dict(zip(_COLUMNS, row, strict=True)) for key, row in db.get(MESSAGES, others).items()}
        rows.update((key, {}) for key in new)
        for fact in batch:
            # Without a row only if its request was discarded as a dead letter: then there is no message to tell of.
            if (row := rows.get((fact.event.message_id,))) is not None:
                row.update(_changes(fact.event))
        db.upsert(MESSAGES, (tuple(row.get(name) for name in _COLUMNS) for row in rows.values()))


def _changes(event: Any) -> dict[str, Any]:
    match event:
        case MessageRequested():
            return {
                **_fields(event, "message_id", "customer_id", "channel", "purpose", "template_id", "rule_id"),
                **_fields(event, "trigger_type", "trigger_event_id", "order_id", "store_id", "urgent", "not_after"),
                "requested_at": event.occurred_at,
                "outcome": "pending",
            }
        case MessageDeferred():
            return {"outcome": "deferred", "deferred_until": event.until}
        case MessageSuppressed():
            return {"outcome": "suppressed", "settled_at": event.occurred_at, "reason": event.reason}
        case MessageFailed():
            reason = {"reason": event.error, "attempts": event.attempts}
            return {"outcome": "failed", "settled_at": event.occurred_at, **reason}
        case MessageSent():
            return {
                **_fields(event, "template_version", "locale", "address", "subject", "text"),
                **_fields(event, "consent_event_id", "provider_message_id"),
                "outcome": "sent",
                "settled_at": event.occurred_at,
            }
    raise TypeError(f"{type(event).__name__} says nothing about a message")


def _fields(event: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names}


async def message_list(
    reads: Reads,
    *,
    customer_id: str | None,
    order_id: str | None,
    outcome: str | None,
    stores: Sequence[str] | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return messages, newest first, without their words.

    `stores` narrows to these shops' messages and those of no shop. `after` is when the last message seen was requested, and its id.
    """
    filters = [
        ("customer_id = %s", customer_id),
        ("order_id = %s", order_id),
        ("outcome = %s", outcome),
        ("(store_id IS NULL OR store_id = ANY(%s))", stores),
        ("(requested_at, message_id) < (%s, %s)", after),
    ]
    where, values = _where(filters)
    query = f"SELECT {_LISTED} FROM messages.messages {where} ORDER BY requested_at DESC, message_id DESC LIMIT %s"
    return await reads.all(query, [*values, limit])


async def message_card(reads: Reads, message_id: str) -> dict[str, Any] | None:
    """Return one message with its words."""
    return await reads.one(f"SELECT {', '.join(_COLUMNS)} FROM messages.messages WHERE message_id = %s", [message_id])


async def was_overtaken(reads: Reads, wanted: MessageRequested) -> bool:
    """Tell whether a later message about the same order is on its way or gone by the same channel: then this one is old news."""
    if wanted.order_id is None:
        return False
    query = """
        SELECT EXISTS (
            SELECT FROM messages.messages WHERE order_id = %s AND channel = %s AND requested_at > %s
            AND outcome IN ('pending', 'deferred', 'sent')
        )
    """
    return bool(await reads.value(query, [wanted.order_id, wanted.channel, wanted.occurred_at]))


async def message_counts(reads: Reads, *, stores: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return how many messages came to which outcome, and why, by channel."""
    where, values = _where([("(store_id IS NULL OR store_id = ANY(%s))", stores)])
    query = (
        f"SELECT outcome, reason, channel, count(*) AS messages FROM messages.messages {where} "
        "GROUP BY outcome, reason, channel ORDER BY outcome, reason, channel"
    )
    return await reads.all(query, values)


def _where(filters: Iterable[tuple[str, Any]]) -> tuple[str, list[Any]]:
    asked = [(condition, value) for condition, value in filters if value is not None]
    values = [part for _, value in asked for part in (value if isinstance(value, tuple) else (value,))]
    return ("WHERE " + " AND ".join(condition for condition, _ in asked) if asked else ""), values
