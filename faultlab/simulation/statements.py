"""What each statement of our code means to the model of PostgreSQL.

Statements are known by the constants that our code executes; one that is not known stops the run. That model and PostgreSQL agree is
tested with both (`tests/simulation/test_postgres_model.py`).
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from psycopg.errors import UniqueViolation

from faultlab.simulation.postgres import Result, Row, Transaction
from faultlab.simulation.read_models import column, meaning_of_read_model
from till_platform.effects import sender
from till_platform.eventstore import append, at_once, jobs, snapshots, streams
from till_platform.eventstore.streams import LAST
from till_platform.projections import tables
from till_platform.relay import relay, rows
from till_platform.worker import cursor, letters, parking, unit

Meaning = Callable[[Transaction, Any], Result]
LETTER = (
    "id", "consumer", "topic", "partition", "offset", "key", "type", "event_id", "reason", "detail", "headers", "value",
    "buried_at", "settled_at", "settled_how", "settled_why", "settled_by",
)  # fmt: skip
NOTHING = Result(count=0)
_AT_ONCE = re.compile(r"%[sb](?:::(\w+)\[\])?")


def meaning_of(query: Any) -> Meaning:
    """Return what a statement does."""
    known = MEANINGS.get(query) if isinstance(query, str) else None
    return known or meaning_of_read_model(query)


def copied_by(query: str, transaction: Transaction, copied: Sequence[Sequence[Any]]) -> None:
    """Do what a COPY does."""
    assert query == append.COPY, f"the model does not know: {query}"
    for values in copied:
        row = dict(zip(append.COLUMNS, values, strict=True))
        for index, key in (("log", row["position"]), ("log_stream_sequence", (row["stream"], row["sequence"]))):
            if not transaction.insert(index, key, row):
                raise UniqueViolation(f"duplicate key: {index} {key}")


def _named(names: Sequence[str], found: Sequence[Row]) -> Result:
    return Result([tuple(row[name] for name in names) for row in found], names=names)


# Checkpoints.


def _claim_partitions(transaction: Transaction, values: Any) -> Result:
    consumer, topics, numbers = values
    inserted = 0
    for topic, number in zip(topics, numbers, strict=True):
        row = {"consumer": consumer, "topic": topic, "partition": number, "next_offset": 0, "last_position": 0}
        inserted += transaction.insert("checkpoint", (consumer, topic, number), row)
    return Result(count=inserted)


def _read_checkpoints(transaction: Transaction, values: Any) -> Result:
    mine = [row for _, row in transaction.rows("checkpoint") if row["consumer"] == values[0]]
    return _named(("topic", "partition", "next_offset", "last_position"), mine)


def _advance(transaction: Transaction, values: Any) -> Result:
    *columns, consumer, _ = values
    moved = 0
    steps = sorted(zip(*columns, strict=True))
    mine = [step for step in steps if _stands(transaction, consumer, step)]
    for step in mine:
        transaction.lock("checkpoint", (consumer, *step[:2]))
    for step in mine:
        topic, number, _, next_offset, last_position = step
        if _stands(transaction, consumer, step):
            key = (consumer, topic, number)
            transaction.put(
                "checkpoint",
                key,
                {**transaction.get("checkpoint", key), "next_offset": next_offset, "last_position": last_position},  # type: ignore[dict-item]
            )
            moved += 1
    return Result([(1,)] * moved, count=moved)


def _stands(transaction: Transaction, consumer: str, step: Sequence[Any]) -> bool:
    row = transaction.get("checkpoint", (consumer, *step[:2]))
    return row is not None and row["next_offset"] == step[2]


def _projection_versions(transaction: Transaction, values: Any) -> Result:
    return _named(("name", "version"), [row for _, row in transaction.rows("projection") if row["name"] in values[0]])


# Dead letters and parked keys.


def _parked(transaction: Transaction, values: Any) -> Result:
    return _named(
        ("topic", "key"), _locked(transaction, "parked_key", lambda row: row["consumer"] == values[0], shared=True)
    )


def _locked(transaction: Transaction, table: str, wanted: Callable[[Row], bool], *, shared: bool = False) -> list[Row]:
    """Lock the rows that are wanted; those that another transaction changed meanwhile are looked at again."""
    locked = []
    for key, row in transaction.rows(table):
        if wanted(row):
            transaction.lock(table, key, shared=shared)
            again = transaction.get(table, key)
            if again is not None and wanted(again):
                locked.append(again)
    return locked


def _park(transaction: Transaction, values: Any) -> Result:
    consumer, topic, key = values
    row = {"consumer": consumer, "topic": topic, "key": key}
    return Result(count=int(transaction.insert("parked_key", (consumer, topic, key), row)))


def _bury(transaction: Transaction, values: Any) -> Result:
    row: Row = dict.fromkeys(LETTER)
    row.update(zip(LETTER[1:12], values, strict=True))
    row["headers"] = row["headers"].obj
    unique = tuple(row[name] for name in ("consumer", "topic", "partition", "offset", "event_id", "value"))
    row["id"] = transaction.database.number("dead_letter")  # taken before it is known whether there is one already
    if not transaction.insert("dead_letter_place", unique, row):
        return NOTHING
    row["buried_at"] = transaction.database.world.clock()
    transaction.put("dead_letter", row["id"], row)
    return Result(count=1)


def _settled(transaction: Transaction, values: Any) -> Result:
    consumer, *columns = values
    places = set(zip(*columns, strict=True))
    found = [
        row
        for _, row in transaction.rows("dead_letter")
        if row["consumer"] == consumer
        and row["settled_at"] is not None
        and (row["topic"], row["partition"], row["offset"]) in places
    ]
    return _named(("topic", "partition", "offset", "value"), found)


def _letter(transaction: Transaction, values: Any) -> Result:
    found = transaction.get("dead_letter", values[0])
    return _named(LETTER, [found] if found else [])


def _lock_parked(transaction: Transaction, values: Any) -> Result:
    consumer, topic, key = values
    found = _locked(
        transaction, "parked_key", lambda r: (r["consumer"], r["topic"], r["key"]) == (consumer, topic, key)
    )
    return Result([(1,) for _ in found])


def _waiting(transaction: Transaction, values: Any) -> Result:
    found = [row for _, row in transaction.rows("dead_letter") if _is_open(row, values)]
    return _named(LETTER, sorted(found, key=lambda row: int(row["id"])))


def _is_open(row: Row, place: Sequence[Any]) -> bool:
    return [row["consumer"], row["topic"], row["key"]] == list(place) and row["settled_at"] is None


def _settle(transaction: Transaction, values: Any) -> Result:
    how, why, by, number = values
    transaction.lock("dead_letter", number)
    row = transaction.get("dead_letter", number)
    if row is None:
        return NOTHING
    settled = {
        "settled_at": transaction.database.world.clock(),
        "settled_how": how,
        "settled_why": why,
        "settled_by": by,
    }
    transaction.put("dead_letter", number, {**row, **settled})
    return Result(count=1)


def _release(transaction: Transaction, values: Any) -> Result:
    place = tuple(values[:3])
    if any(_is_open(row, place) for _, row in transaction.rows("dead_letter")):
        return NOTHING
    released = _locked(transaction, "parked_key", lambda r: (r["consumer"], r["topic"], r["key"]) == place)
    for _ in released:
        transaction.delete("parked_key", place)
    return Result(count=len(released))


# The log.


def _lock_head(transaction: Transaction, _: Any) -> Result:
    transaction.lock("log_head", True)
    return _head(transaction, _)


def _head(transaction: Transaction, _: Any) -> Result:
    row = transaction.get("log_head", True)
    return Result([(row["position"],)] if row else [])


def _move_head(transaction: Transaction, values: Any) -> Result:
    transaction.lock("log_head", True)
    transaction.put("log_head", True, {"position": values[0]})
    return Result(count=1)


def _last_time(transaction: Transaction, values: Any) -> Result:
    row = transaction.get("log", values[0])
    return _named(("recorded_at",), [row] if row else [])


def _append_at_once(transaction: Transaction, values: Any) -> Result:
    kinds = [kind or "as it is" for kind in _AT_ONCE.findall(at_once.APPEND)]
    recorded_at, *arrays = [
        given if kind == "as it is" else column(given, kind) for given, kind in zip(values, kinds, strict=True)
    ]
    streams, sequences, *contents, effects = arrays
    contents, answers = contents[:11], contents[11:]
    ((head,),) = _lock_head(transaction, None).rows
    wanted: dict[str, list[int]] = {}
    for stream, sequence in zip(streams, sequences, strict=True):
        wanted.setdefault(stream, []).append(sequence)
    behind = dict(_versions(transaction, [list(wanted)]).rows)
    follow_each_other = all(
        sorted(mine) == list(range(behind[stream] + 1, behind[stream] + 1 + len(mine)))
        for stream, mine in wanted.items()
    )
    if _answers(transaction, [answers[0]]).rows or not follow_each_other:
        return Result([(None,)])
    recorded_at = max([recorded_at, *(time for (time,) in _last_time(transaction, [head]).rows)])
    _move_head(transaction, [head + len(streams)])
    copied = [
        (head + number, recorded_at, *row)
        for number, row in enumerate(zip(streams, sequences, *contents, strict=True), 1)
    ]
    copied_by(append.COPY, transaction, copied)
    ends = [head + end for end in answers[4]]
    _store_answers(transaction, [*answers[:4], ends, [recorded_at] * len(ends)])
    _finish_effects(transaction, [effects])
    return Result([(head,)])


def _versions(transaction: Transaction, values: Any) -> Result:
    return Result(
        [(stream, max((row["sequence"] for row in transaction.stream(stream)), default=0)) for stream in values[0]]
    )


def _newer(transaction: Transaction, values: Any) -> Result:
    *known, upto = values
    found = []
    for stream, version in sorted(zip(*known, strict=True)):
        newer = [row for row in transaction.stream(stream) if version < row["sequence"] <= upto]
        found += sorted(newer, key=lambda row: int(row["sequence"]))
    return _named(("stream", "sequence", "type", "data", "key"), found)


def _whole(transaction: Transaction, values: Any) -> Result:
    """No stream here gets long enough for a snapshot."""
    (streams,) = values
    return _newer(transaction, [streams, [0] * len(streams), LAST])


def _no_plans(_: Transaction, __: Any) -> Result:
    """Nothing here is planned."""
    return NOTHING


def _no_snapshots(_: Transaction, __: Any) -> Result:
    """No stream here gets long enough for one."""
    return NOTHING


def _no_swap(_: Transaction, __: Any) -> Result:
    """Nobody rebuilds read models here."""
    return NOTHING


def _one_stream(transaction: Transaction, values: Any) -> Result:
    low, high = values["gt"] or 0, values["lte"]
    found = [
        row
        for row in transaction.stream(values["stream"])
        if low < row["sequence"] and (high is None or row["sequence"] <= high)
    ]
    return _named(("stream", "sequence", "type", "data", "key"), sorted(found, key=lambda row: int(row["sequence"])))


def _answers(transaction: Transaction, values: Any) -> Result:
    found = [row for key in values[0] if (row := transaction.get("answer", key))]
    return _named(("key", "status", "body", "fingerprint"), found)


def _answer(transaction: Transaction, values: Any) -> Result:
    return _answers(transaction, [[values[0]]])


def _store_answers(transaction: Transaction, values: Any) -> Result:
    for key, fingerprint, status, body, position, _ in zip(*values, strict=True):
        row = {"key": key, "fingerprint": fingerprint, "status": status, "body": body, "position": position}
        if not transaction.insert("answer", key, row):
            raise UniqueViolation(f"duplicate key: answer {key}")
    return NOTHING


# The relay.


def _pending(transaction: Transaction, values: Any) -> Result:
    position, limit = values
    log = transaction.database.table("log")
    found = sorted(place for place in log if place > position)[:limit]
    names = [name.split("::")[0].strip() for name in rows.COLUMNS.split(",")]
    return _named(names, [log[place] for place in found])


def _lead(transaction: Transaction, values: Any) -> Result:
    session, key = transaction.session, ("relay", values[0])
    free = all(key not in other.advisory for other in transaction.database.sessions if other is not session)
    if free:
        session.advisory.add(key)
    return Result([(free,)])


def _take_over(transaction: Transaction, values: Any) -> Result:
    (topic,) = values
    transaction.lock("relay_mark", topic)
    row = transaction.get("relay_mark", topic) or {"position": 0, "epoch": 0, "ends": {}}
    taken = {**row, "epoch": row["epoch"] + 1}
    transaction.put("relay_mark", topic, taken)
    return _named(("position", "epoch", "ends"), [taken])


def _epoch(transaction: Transaction, values: Any) -> Result:
    row = transaction.get("relay_mark", values[0])
    return _named(("epoch",), [row] if row else [])


def _mark(transaction: Transaction, values: Any) -> Result:
    position, ends, topic, epoch = values
    transaction.lock("relay_mark", topic)
    row = transaction.get("relay_mark", topic)
    if row is None or row["epoch"] != epoch:
        return NOTHING
    # As jsonb gives it back: numbers as keys are text, tuples are lists.
    transaction.put("relay_mark", topic, {**row, "position": position, "ends": json.loads(json.dumps(ends.obj))})
    return Result(count=1)


def _set_idle_timeout(transaction: Transaction, _: Any) -> Result:
    transaction.session.idle_timeout = float(relay.LEASE_SECONDS)
    return NOTHING


# What is to be done outside.


def _ask(transaction: Transaction, values: Any) -> Result:
    kind, key, payload, not_before, correlation_id, causation_id, traceparent = values
    row: Row = {"kind": kind, "key": key, "payload": payload.obj, "not_before": not_before}
    row.update(correlation_id=correlation_id, causation_id=causation_id, traceparent=traceparent)
    row.update(attempts=0, leased_until=None, last_error=None, done_at=None, id=None)
    if not transaction.insert("effect_key", (kind, key), row):
        return NOTHING
    row["id"] = transaction.database.number("effect")
    transaction.put("effect", row["id"], row)
    return Result(count=1)


def _claim_effects(transaction: Transaction, values: Any) -> Result:
    now = transaction.database.world.clock()

    def due(row: Row) -> bool:
        free = row["leased_until"] is None or row["leased_until"] < now
        return row["kind"] == values["kind"] and row["done_at"] is None and row["not_before"] <= values["now"] and free

    found = sorted((row for _, row in transaction.rows("effect") if due(row)), key=lambda r: (r["not_before"], r["id"]))
    claimed: list[Row] = []
    for row in found:
        if len(claimed) == values["limit"]:
            break
        if transaction.may_lock("effect", row["id"]):
            lease: timedelta = values["lease"]
            claimed.append({**row, "leased_until": now + lease, "attempts": row["attempts"] + 1})
            transaction.put("effect", row["id"], claimed[-1])
    names = ("id", "kind", "key", "payload", "attempts", "correlation_id", "causation_id", "traceparent")
    return _named(names, claimed)


def _postpone(transaction: Transaction, values: Any) -> Result:
    until, error, uncounted, number = values
    transaction.lock("effect", number)
    row = transaction.get("effect", number)
    if row is None or row["done_at"] is not None:
        return NOTHING
    changed = {"not_before": until, "leased_until": None, "last_error": error, "attempts": row["attempts"] - uncounted}
    transaction.put("effect", number, {**row, **changed})
    return Result(count=1)


def _finish_effects(transaction: Transaction, values: Any) -> Result:
    for number in values[0]:
        transaction.lock("effect", number)
        row = transaction.get("effect", number)
        if row is not None:
            done = {"done_at": transaction.database.world.clock(), "leased_until": None}
            transaction.put("effect", number, {**row, **done})
    return Result(count=len(values[0]))


MEANINGS: dict[str, Meaning] = {
    cursor._CLAIM: _claim_partitions,
    cursor._READ: _read_checkpoints,
    cursor._ADVANCE: _advance,
    tables._HELD: _projection_versions,
    parking._PARKED: _parked,
    parking._PARK: _park,
    parking._BURY: _bury,
    parking._SETTLED: _settled,
    letters._ONE: _letter,
    letters._NO_SWAP: _no_swap,
    letters._LOCK: _lock_parked,
    letters._WAITING: _waiting,
    letters._SETTLE: _settle,
    letters._RELEASE: _release,
    "SELECT position FROM log_head FOR UPDATE": _lock_head,
    "SELECT position FROM log_head": _head,
    "UPDATE log_head SET position = %s": _move_head,
    at_once.APPEND: _append_at_once,
    append._LAST_TIME: _last_time,
    append._VERSIONS: _versions,
    append._ANSWERS: _answers,
    append._STORE_ANSWERS: _store_answers,
    append._FINISH_EFFECTS: _finish_effects,
    "SELECT key, status, body, fingerprint FROM answer WHERE key = %s": _answer,
    "SELECT stream, sequence, type, data, key FROM log WHERE stream = %(stream)s"
    " AND sequence > coalesce(%(gt)s::int, 0) AND (%(lte)s::int IS NULL OR sequence <= %(lte)s::int)"
    " ORDER BY sequence ASC LIMIT %(limit)s::bigint": _one_stream,
    streams._NEWER: _newer,
    streams.WHOLE: _whole,
    jobs.BY_INDEX: _no_plans,
    at_once._BY_INDEX: _no_plans,
    snapshots._READ: _no_snapshots,
    unit._ASK: _ask,
    relay._PENDING: _pending,
    relay._LEAD: _lead,
    relay.TAKE_OVER: _take_over,
    relay._EPOCH: _epoch,
    relay._MARK: _mark,
    f"SET idle_session_timeout = '{relay.LEASE_SECONDS}s'": _set_idle_timeout,
    sender._CLAIM: _claim_effects,
    sender._POSTPONE: _postpone,
}
