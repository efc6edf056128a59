"""A log as it is exported and put back: its rows in order, each with the chain's hash after it."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg

from till_events.audit import LogSigned
from till_events.chain import START, event_hash, link
from till_events.codec import decode
from till_events.topics import source_of
from till_platform.audit.heads import stream_of
from till_platform.relay.rows import COLUMNS, envelope_of
from tillstream.audit.check import Entry

AT_ONCE = 2_000
_HEAD = "SELECT position FROM log_head"
_ROWS = f"SELECT {COLUMNS} FROM log WHERE position BETWEEN %s AND %s ORDER BY position"
_EVERY_ROW = f"SELECT {COLUMNS} FROM log ORDER BY position"
_SIGNED = "SELECT type, data FROM log WHERE stream = %s ORDER BY sequence DESC"


def read_log(
    connection: psycopg.Connection[Any], service: str, first: int = 1, last: int | None = None
) -> Iterator[Entry]:
    """Yield a part of the log, both ends included, in little memory. The connection must be in a transaction, whose moment it shows."""
    position, chain = _chain_before(connection, service, first)
    for entry in _entries(connection, service, position + 1, head_of(connection) if last is None else last):
        chain = link(chain, event_hash(entry.envelope, entry.data, public=entry.public))
        if entry.envelope.position >= first:
            yield Entry(entry.envelope, entry.data, entry.public, chain)


def every_row(connection: psycopg.Connection[Any], service: str) -> Iterator[Entry]:
    """Yield whatever stands in the log, wherever it says it stands."""
    return _read(connection, service, _EVERY_ROW, [])


def head_of(connection: psycopg.Connection[Any]) -> int:
    """Return the position of the last event."""
    (position,) = connection.execute(_HEAD).fetchone() or (0,)
    return int(position)


def row_of(entry: Entry) -> tuple[Any, ...]:
    """Return the row of the log that an event stood in, in the columns of `till_platform.eventstore.append`."""
    envelope = entry.envelope
    return (
        envelope.position,
        envelope.recorded_at,
        envelope.subject,
        envelope.sequence,
        UUID(envelope.id),
        envelope.type,
        envelope.key,
        entry.data,
        entry.public,
        envelope.time,
        envelope.correlation_id,
        envelope.causation_id,
        envelope.actor,
        envelope.store_id,
        envelope.traceparent,
    )


def _chain_before(connection: psycopg.Connection[Any], service: str, first: int) -> tuple[int, bytes]:
    """Return the last signed head in front of a position as (its position, the chain's hash there), so that not all is hashed again."""
    if first > 1:
        with connection.cursor(name="signed") as cursor:
            for kind, data in cursor.execute(_SIGNED, [stream_of(service)], binary=True):
                head = decode(kind, data)
                if isinstance(head, LogSigned) and head.position < first:
                    return head.position, bytes.fromhex(head.hash)
    return 0, START


def _entries(connection: psycopg.Connection[Any], service: str, first: int, last: int) -> Iterator[Entry]:
    return _read(connection, service, _ROWS, [first, last])


def _read(connection: psycopg.Connection[Any], service: str, query: str, values: list[int]) -> Iterator[Entry]:
    source = source_of(service)
    with connection.cursor(name="rows") as cursor:
        cursor.itersize = AT_ONCE
        for row in cursor.execute(query.encode(), values, binary=True):
            yield Entry(envelope_of(row, source), row[6], row[-1])
