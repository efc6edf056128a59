"""Dead letters and parked keys: what cannot be taken waits with its bytes, and what follows it under the same key waits behind it."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from till_platform.worker.reading import FORGED, Entry, Letter

WAITING = "waiting"
"""The reason of a letter that is sound itself, but follows a bad one of the same key."""

_PARKED = "SELECT topic, key FROM parked_key WHERE consumer = %s FOR SHARE"
_PARK = "INSERT INTO parked_key (consumer, topic, key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_BURY = """
INSERT INTO dead_letter (consumer, topic, partition, "offset", key, type, event_id, reason, detail, headers, value)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_SETTLED = """
SELECT topic, partition, "offset", value FROM dead_letter
WHERE consumer = %s AND settled_at IS NOT NULL
    AND (topic, partition, "offset") IN (SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[]))
"""

ParkedKey = tuple[str, bytes]
"""A topic and a record key."""


def parked_keys(connection: Connection[Any], consumer: str) -> set[ParkedKey]:
    """Return the keys that wait. The rows stay locked against a concurrent release until the transaction ends."""
    return {(topic, bytes(key)) for topic, key in connection.execute(_PARKED, [consumer])}


def without_settled(connection: Connection[Any], consumer: str, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Leave out letters that somebody has settled: read once more they park nothing, or their key would wait behind what nobody opens."""
    places = [(*entry.partition, entry.record.offset) for entry in entries if entry.letter is not None]
    if not places:
        return entries
    columns = [list(column) for column in zip(*places, strict=True)]
    settled = {(*place, value) for *place, value in connection.execute(_SETTLED, [consumer, *columns])}
    return [
        entry
        for entry in entries
        if entry.letter is None or (*entry.partition, entry.record.offset, entry.record.value) not in settled
    ]


def sort_out(entries: Sequence[Entry], parked: set[ParkedKey]) -> tuple[list[Entry], list[Letter]]:
    """Separate what can be taken from what must be buried: bad letters, and everything behind one under the same key."""
    if not parked and not any(entry.letter for entry in entries):
        return list(entries), []
    taken: list[Entry] = []
    letters: list[Letter] = []
    waiting = set(parked)
    for entry in entries:
        key = entry.record.key
        place = (entry.partition[0], key) if key is not None else None
        if entry.letter is not None:
            letters.append(entry.letter)
            if place and entry.letter.reason != FORGED:
                waiting.add(place)
        elif place in waiting:
            letters.append(Letter(entry.partition, entry.record, WAITING, "follows a dead letter of the same key"))
        else:
            taken.append(entry)
    return taken, letters


def bury(connection: Connection[Any], consumer: str, letters: Sequence[Letter]) -> None:
    """Keep the letters with their original bytes and headers, and park their keys. A forged one is kept without: nobody waits for it."""
    for letter in letters:
        record, (topic, number) = letter.record, letter.partition
        key = record.key if letter.reason != FORGED else None
        headers = {name: _readable(value) for name, value in record.headers}
        row = [consumer, topic, number, record.offset, key, headers.get("ce_type"), headers.get("ce_id")]
        connection.execute(_BURY, [*row, letter.reason, letter.detail, Jsonb(headers), record.value])
        if key is not None:
            connection.execute(_PARK, [consumer, topic, key])


def _readable(value: bytes) -> str:
    """Headers are text; what is not is kept as hexadecimal, marked as such."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "hex:" + value.hex()
    return text if "\x00" not in text else "hex:" + value.hex()
