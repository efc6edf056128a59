"""Snapshots of long aggregates, through `eventsourcing`'s own interfaces. A help that may be missing at any time, never a source.

The invariant: a snapshot is used only if it was taken by this very code, its bytes are what was written, and the events it covers are those
that are in the log now; the database works that out from the log each time. Any other one is as good as none, and is replaced.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from eventsourcing.persistence import AggregateRecorder, Mapper, StoredEvent
from psycopg import Connection
from psycopg_pool import ConnectionPool

from till_platform.code import fingerprint_of
from till_platform.domain import Aggregate, Remembered
from till_platform.eventstore.freezing import Unfreezable, freeze, thaw

EVERY = 200
"""So many events are read at most behind a snapshot before the next one is taken."""

_COVERS = """
(SELECT count(*) || ':' || coalesce(sum(hash_record_extended(ROW(log.sequence, log.id, log.type, log.data), 7)), 0)
 FROM log WHERE log.stream = {stream} AND log.sequence <= {version})
"""
_READ = f"""
SELECT stream, version, class, code, covers, state, hash, covers = {_COVERS.format(stream="snapshot.stream", version="snapshot.version")}
FROM snapshot WHERE stream = ANY(%s) AND (%s::int IS NULL OR version <= %s)
"""
_COVERED = f"SELECT {_COVERS.format(stream='%s', version='%s')}"
_WRITE = """
INSERT INTO snapshot (stream, version, class, code, covers, state, hash) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (stream) DO UPDATE SET version = excluded.version, class = excluded.class, code = excluded.code, covers = excluded.covers,
    state = excluded.state, hash = excluded.hash, taken_at = clock_timestamp()
"""
_log = structlog.get_logger(__name__)


def read_snapshots(
    connection: Connection[Any], streams: Iterable[str], *, upto: int | None = None
) -> dict[str, Aggregate]:
    """Return the aggregates that may be begun with, by stream, in one query; at most `upto` a version, if one is given."""
    found: dict[str, Aggregate] = {}
    for stream, version, name, code, covers, state, fingerprint, is_covered in connection.execute(
        _READ, [list(streams), upto, upto]
    ):
        cls = _class(name)
        genuine = fingerprint == _hash(stream, version, name, code, covers, state)
        if cls is None or not genuine or not is_covered or code != fingerprint_of(cls):
            _log.warning("snapshot_not_used", kind=stream.partition("-")[0], genuine=genuine, covered=is_covered)
            continue
        found[stream] = thaw(state, packages_of(cls))
    return found


def write_snapshots(connection: Connection[Any], aggregates: Iterable[Aggregate]) -> None:
    """Keep aggregates as they are, without anything pending. What cannot be kept is loaded from its events, as ever."""
    for aggregate in sorted(aggregates, key=lambda one: one.id):
        cls = type(aggregate)
        try:
            state = freeze(aggregate, packages_of(cls))
        except Unfreezable as error:
            _log.warning("no_snapshot", kind=aggregate.kind, reason=str(error))
            continue
        (covers,) = connection.execute(_COVERED, [aggregate.id, aggregate.version]).fetchone() or ("",)
        row = (aggregate.id, aggregate.version, _name(cls), fingerprint_of(cls), covers, state)
        connection.execute(_WRITE, [*row, _hash(*row)])


class SnapshotRecorder(AggregateRecorder):
    """Where the library keeps snapshots: one of each stream, the latest."""

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Keep snapshots."""
        with self._pool.connection() as connection:
            write_snapshots(connection, [event.aggregate for event in stored_events if isinstance(event, _Stored)])
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,  # noqa: ARG002 - there is one at most
        limit: int | None = None,  # noqa: ARG002
    ) -> Sequence[StoredEvent]:
        """Return the snapshot of a stream, if there is one that can be used."""
        with self._pool.connection() as connection:
            found = read_snapshots(connection, [str(originator_id)], upto=lte)
        return [_Stored.of(aggregate) for aggregate in found.values() if gt is None or aggregate.version > gt]


class SnapshotMapper(Mapper[str]):
    """Between what is remembered and what is stored. The bytes are made and read by the recorder, who knows the log they belong to."""

    def __init__(self) -> None:
        """Need neither transcoder nor cipher."""

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Return what the recorder is given."""
        assert isinstance(domain_event, Remembered)
        return _Stored.of(domain_event.aggregate)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Return what `Aggregate.project` begins with."""
        assert isinstance(stored_event, _Stored)
        return Remembered(stored_event.aggregate)


class _Stored(StoredEvent):
    aggregate: Aggregate

    @classmethod
    def of(cls, aggregate: Aggregate) -> "_Stored":
        stored = cls(aggregate.id, aggregate.version, aggregate.kind, b"")
        vars(stored)["aggregate"] = aggregate
        return stored


def _name(cls: type[Aggregate]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _class(name: str, under: type[Aggregate] = Aggregate) -> type[Aggregate] | None:
    """Return the aggregate of this name that is in use here. Nothing is imported because a row says so."""
    for cls in under.__subclasses__():
        if _name(cls) == name:
            return cls
        if (found := _class(name, cls)) is not None:
            return found
    return None


def packages_of(cls: type[Aggregate]) -> frozenset[str]:
    """Return the packages whose classes an aggregate may be made of."""
    return frozenset({cls.__module__.partition(".")[0], "till_events", "till_platform"})


def _hash(*parts: Any) -> bytes:
    """Tell bytes that were written from bytes that came about otherwise; who can write to the database could forge it, and the log, too."""
    found = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        found.update(b"%d:" % len(data) + data)
    return found.digest()
