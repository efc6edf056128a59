"""Dead letters as operators see them: listed, read, taken again in order, or given up with a reason that is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from till_events.codec import UnknownMajor, UnknownType, UnreadableEvent, decode
from till_platform.batch import Fact
from till_platform.domain import Conflict, Invalid, NotFound
from till_platform.eventstore.errors import VersionConflict
from till_platform.worker.reading import FORGED
from till_platform.worker.transaction import BatchTransaction, Permanent

_LIST = """
SELECT id, consumer, topic, partition, "offset", type, event_id, reason, detail, buried_at, settled_at, settled_how, settled_why
FROM dead_letter WHERE id > %(after)s AND (%(open)s IS FALSE OR settled_at IS NULL)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY id LIMIT %(limit)s
"""
_ONE = "SELECT * FROM dead_letter WHERE id = %s"
_NO_SWAP = "SELECT pg_advisory_xact_lock_shared(hashtext('letters'), hashtext(%s))"
_LOCK = "SELECT 1 FROM parked_key WHERE consumer = %s AND topic = %s AND key = %s FOR UPDATE"
_WAITING = """
SELECT * FROM dead_letter
WHERE consumer = %s AND topic = %s AND key = %s AND settled_at IS NULL ORDER BY id
"""
_SETTLE = """
UPDATE dead_letter SET settled_at = clock_timestamp(), settled_how = %s, settled_why = %s, settled_by = %s WHERE id = %s
"""
_RELEASE = """
DELETE FROM parked_key WHERE consumer = %s AND topic = %s AND key = %s AND NOT EXISTS (
    SELECT 1 FROM dead_letter WHERE consumer = %s AND topic = %s AND key = %s AND settled_at IS NULL
)
"""


class ForgedLetter(Conflict):
    """A letter that the owner of its topic did not send can only be given up."""

    code = "forged-letter"


class StillUnreadable(Conflict):
    """A letter was taken up again, and this code still cannot read it. It stays where it is, and all that waits behind it."""

    code = "still-unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be taken, whole."""

    id: int
    consumer: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    type: str | None
    event_id: str | None
    reason: str
    detail: str
    headers: dict[str, str]
    value: bytes | None
    buried_at: Any
    settled_at: Any
    settled_how: str | None
    settled_why: str | None
    settled_by: str | None


def listed(
    connection: Connection[Any], *, after: int = 0, limit: int = 100, reason: str | None = None, unsettled: bool = True
) -> list[dict[str, Any]]:
    """Return letters in the order they were buried, without their content."""
    values = {"after": after, "limit": limit, "reason": reason, "open": unsettled}
    return connection.cursor(row_factory=dict_row).execute(_LIST, values).fetchall()


def letter(connection: Connection[Any], letter_id: int) -> DeadLetter:
    """Return one letter with bytes and headers; raise `NotFound`."""
    found = connection.cursor(row_factory=class_row(DeadLetter)).execute(_ONE, [letter_id]).fetchone()
    if found is None:
        raise NotFound(f"there is no dead letter {letter_id}", id=letter_id)
    return found


def retry(connection: Connection[Any], transaction: BatchTransaction, letter_id: int, *, by: str) -> int:
    """Take a letter again, and after it in order everything that waits behind it; return how many were taken.

    All or nothing: if one fails again, none is taken and the failure is raised. The code may have learned to read it meanwhile.
    """
    first = letter(connection, letter_id)
    with connection.transaction():
        waiting = _waiting(connection, first)
        for found in waiting:
            transaction.apply(connection, _facts(found))
            connection.execute(_SETTLE, ["retried", None, by, found.id])
        _release(connection, first)
    return len(waiting)


def discard(connection: Connection[Any], transaction: BatchTransaction, letter_id: int, *, why: str, by: str) -> int:
    """Give a letter up for a reason that is kept, and take what waited behind it; return how many were taken.

    Where another one is met that cannot be taken, what is behind that goes on waiting.
    """
    given_up = letter(connection, letter_id)
    if not why.strip():
        raise Invalid("say why the letter is given up", field="why")
    taken = 0
    with connection.transaction():
        waiting = [found for found in _waiting(connection, given_up) if found.id != letter_id]
        connection.execute(_SETTLE, ["discarded", why, by, letter_id])
        for found in waiting:
            try:
                with connection.transaction():
                    transaction.apply(connection, _facts(found))
                    connection.execute(_SETTLE, ["retried", None, by, found.id])
            except VersionConflict:
                raise
            except Permanent:
                break
            taken += 1
        _release(connection, given_up)
    return taken


def _waiting(connection: Connection[Any], first: DeadLetter) -> Sequence[DeadLetter]:
    if first.settled_at is not None:
        raise Conflict(f"dead letter {first.id} is settled already", id=first.id)
    connection.execute(
        _NO_SWAP, [first.consumer]
    )  # what is taken goes into the tables that are live when it is committed
    if first.key is None:
        return [first]
    place = [first.consumer, first.topic, first.key]
    connection.execute(_LOCK, place)
    return connection.cursor(row_factory=class_row(DeadLetter)).execute(_WAITING, place).fetchall()


def _facts(found: DeadLetter) -> list[Fact[Any]]:
    if found.reason == FORGED:
        raise ForgedLetter(f"dead letter {found.id} is forged and is never taken; discard it", id=found.id)
    headers = {name: value.encode() for name, value in found.headers.items()}
    try:
        event = decode(found.type or "", found.value or b"")
    except (UnreadableEvent, UnknownMajor, UnknownType) as error:
        raise StillUnreadable(f"dead letter {found.id} still cannot be read", id=found.id) from error
    return [Fact(event, headers, (found.key or b"").decode(), found.topic, found.partition, found.offset)]


def _release(connection: Connection[Any], settled: DeadLetter) -> None:
    if settled.key is not None:
        place = [settled.consumer, settled.topic, settled.key]
        connection.execute(_RELEASE, [*place, *place])
