"""Between the plain events of the published language and the rows of the log: nothing is wrapped, the bytes are the event."""

from datetime import datetime
from typing import Any

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from till_events.base import declaration_of
from till_events.codec import decode, encode, type_of
from till_platform.domain import RecordedEvent


class LoggedEvent(StoredEvent):
    """A row of the log as `eventsourcing` passes it around: `topic` is our stable type name, `state` the JSON that is published."""

    key: str
    public: bool
    occurred_at: datetime
    store_id: str | None

    @classmethod
    def of(cls, recorded: RecordedEvent) -> "LoggedEvent":
        """Return the row that a recorded event becomes, its position and time of recording still open."""
        event = recorded.event
        row = cls(recorded.originator_id, recorded.originator_version, type_of(event), encode(event))
        vars(row).update(
            key=recorded.key,
            public=declaration_of(event).public,
            occurred_at=event.occurred_at,
            store_id=getattr(event, "store_id", None),
        )
        return row


class LogMapper(Mapper[str]):
    """Maps recorded events to rows and back. Stored names are ours, not Python's: moving a class orphans nothing."""

    def __init__(self) -> None:
        """Need neither transcoder nor cipher: the codec of the published language is the only one."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> LoggedEvent:
        """Return the row that a recorded event becomes."""
        assert isinstance(domain_event, RecordedEvent)
        return LoggedEvent.of(domain_event)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Return the recorded event of a row, raised to the newest version of its class."""
        return RecordedEvent(
            str(stored_event.originator_id),
            stored_event.originator_version,
            decode(stored_event.topic, stored_event.state),
            getattr(stored_event, "key", str(stored_event.originator_id)),
        )
