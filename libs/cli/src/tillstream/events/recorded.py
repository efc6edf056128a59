from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.structs import ConsumerRecord

from till_events.envelope import Envelope, from_headers
from till_events.topics import source_of
from till_platform.relay.rows import headers_of


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it stands in a log or on a topic: its envelope and the bytes of its content."""

    envelope: Envelope
    data: bytes
    public: bool = True

    @classmethod
    def of_record(cls, record: ConsumerRecord) -> "Recorded":
        """Read it from a record of a topic; raises `UnreadableEnvelope`."""
        return cls(from_headers(record.headers), record.value or b"")

    @classmethod
    def of_row(cls, row: Sequence[Any], service: str) -> "Recorded":
        """Read it from a row of a service's log, in the columns that the relay reads."""
        return cls(from_headers(headers_of(row, source_of(service))), bytes(row[6]), bool(row[-1]))

    @property
    def service(self) -> str:
        """Whose log it belongs to."""
        return self.envelope.source.rpartition("/")[2]

    @property
    def name(self) -> str:
        """Its name without owner and version, e.g. `OrderPlaced`."""
        return self.envelope.type.split(".")[-2] if self.envelope.type.count(".") >= 2 else self.envelope.type
