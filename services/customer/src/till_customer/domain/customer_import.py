from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, structs

from till_events.base import Event
from till_events.customer import CustomerImportCompleted, CustomerImportStarted
from till_platform.domain import Aggregate


class Counts(Struct, frozen=True, kw_only=True):
    """What became of the rows of a list."""

    created: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0

    @property
    def rows(self) -> int:
        return self.created + self.updated + self.skipped + self.rejected


class CustomerImport(Aggregate):
    """A customer list that is brought into the base. Reading the same list the same way again is the same import."""

    kind = "import"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.started: CustomerImportStarted | None = None
        self.counts: Counts | None = None
        self.completed_at: datetime | None = None

    def start(self, *, file_name: str, file_sha256: str, mode: str, mapping: Mapping[str, str], at: datetime) -> None:
        """Begin, or go on with what was begun before: then nothing is recorded, and the first beginning stays the time of its facts."""
        if self.started is None:
            self.record(
                CustomerImportStarted(
                    occurred_at=at,
                    import_id=self.identity,
                    file_name=file_name,
                    file_sha256=file_sha256,
                    mode=mode,
                    mapping=dict(mapping),
                )
            )

    def complete(self, counts: Counts, *, started_at: datetime, at: datetime) -> None:
        """The list was read to its end. A repeat that found nothing new to do is not worth recording."""
        if self.counts is not None and not (counts.created or counts.updated):
            return
        self.record(
            CustomerImportCompleted(
                occurred_at=at, import_id=self.identity, started_at=started_at, **structs.asdict(counts)
            )
        )

    def apply(self, event: Event) -> None:
        match event:
            case CustomerImportStarted():
                self.started = event
            case CustomerImportCompleted():
                self.counts = Counts(
                    created=event.created, updated=event.updated, skipped=event.skipped, rejected=event.rejected
                )
                self.completed_at = event.occurred_at
