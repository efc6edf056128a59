"""`eventsourcing`'s own interfaces over our log: its `Application` and `Repository` work on it unchanged."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    EventStore,
    InfrastructureFactory,
    ListenNotifySubscription,
    Mapper,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    TrackingRecorder,
)
from psycopg_pool import ConnectionPool

from till_platform.context import current
from till_platform.eventstore.append import Commit
from till_platform.eventstore.group_commit import GroupCommit
from till_platform.eventstore.snapshots import SnapshotMapper, SnapshotRecorder
from till_platform.eventstore.stored import LoggedEvent, LogMapper


class LogRecorder(ApplicationRecorder):
    """Writes through the group commit and reads the log table. Positions are notification ids: gapless, in commit order."""

    def __init__(self, pool: ConnectionPool[Any], committer: GroupCommit) -> None:
        self.pool = pool
        self._committer = committer

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Append in one transaction; raise `VersionConflict` if a stream moved on meanwhile."""
        events = [event for event in stored_events if isinstance(event, LoggedEvent)]
        (outcome,) = self._committer.append_blocking([Commit(events, current())])
        if isinstance(outcome, Exception):
            raise outcome
        return list(range(outcome - len(events) + 1, outcome + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Read a stream, or a part of it, in order."""
        query = (
            "SELECT stream, sequence, type, data, key FROM log WHERE stream = %(stream)s"
            " AND sequence > coalesce(%(gt)s::int, 0) AND (%(lte)s::int IS NULL OR sequence <= %(lte)s::int)"
            f" ORDER BY sequence {'DESC' if desc else 'ASC'} LIMIT %(limit)s::bigint"
        )
        values = {"stream": str(originator_id), "gt": gt, "lte": lte, "limit": limit}
        with self.pool.connection() as connection:
            return [as_stored(row) for row in connection.execute(query, values)]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Read the log from a position on."""
        after = (start or 1) - 1 if inclusive_of_start or start is None else start
        query = (
            "SELECT position, stream, sequence, type, data FROM log WHERE position > %(after)s"
            " AND (%(stop)s::bigint IS NULL OR position <= %(stop)s::bigint)"
            " AND (cardinality(%(types)s::text[]) = 0 OR type = ANY(%(types)s::text[]))"
            " ORDER BY position LIMIT %(limit)s"
        )
        values = {"after": after, "stop": stop, "types": list(topics), "limit": limit}
        with self.pool.connection() as connection:
            return [
                Notification(originator_id=stream, originator_version=sequence, topic=kind, state=data, id=position)
                for position, stream, sequence, kind, data in connection.execute(query, values)
            ]

    def max_notification_id(self) -> int | None:
        """Return the position of the last event."""
        with self.pool.connection() as connection:
            row = connection.execute("SELECT position FROM log_head").fetchone()
        return row[0] if row and row[0] else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Return an iterator over the log that waits for what comes next, woken by every transaction of this process."""
        subscription: ListenNotifySubscription[ApplicationRecorder] = ListenNotifySubscription(self, gt, topics)
        self._committer.on_commit(subscription._has_been_notified.set)  # noqa: SLF001 - the library offers no other way to wake it
        return subscription


class _LogFactory(InfrastructureFactory[TrackingRecorder]):
    """Hands our recorder to the library's `Application`."""

    def __init__(self, recorder: LogRecorder) -> None:
        super().__init__({})
        self._recorder = recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        return SnapshotRecorder(self._recorder.pool) if purpose == "snapshots" else self._recorder

    def is_snapshotting_enabled(self) -> bool:
        return True

    def application_recorder(self) -> ApplicationRecorder:
        return self._recorder

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> TrackingRecorder:  # noqa: ARG002
        raise TypeError("positions are tracked in the consumers' checkpoints")

    def process_recorder(self) -> ProcessRecorder:
        raise TypeError("positions are tracked in the consumers' checkpoints")


class LogApplication(Application[str]):
    """`eventsourcing`'s application over one service's log."""

    def __init__(self, name: str, recorder: LogRecorder) -> None:
        self.name = name
        self._log_recorder = recorder
        super().__init__()

    def construct_factory(self, env: Any) -> InfrastructureFactory[TrackingRecorder]:  # noqa: ARG002
        return _LogFactory(self._log_recorder)

    def construct_mapper(self) -> Mapper[str]:
        return LogMapper()

    def construct_snapshot_store(self) -> EventStore[str]:
        return self.factory.event_store(
            mapper=SnapshotMapper(), recorder=self.factory.aggregate_recorder(purpose="snapshots")
        )


def as_stored(row: Sequence[Any]) -> LoggedEvent:
    """Return a row (stream, sequence, type, data, key) of the log as `eventsourcing` passes it around."""
    stream, sequence, kind, data, key = row
    stored = LoggedEvent(originator_id=stream, originator_version=sequence, topic=kind, state=data)
    vars(stored)["key"] = key
    return stored
