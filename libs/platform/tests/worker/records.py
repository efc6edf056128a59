"""Records as a relay would publish them, without Kafka."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from till_events import catalogue
from till_events.codec import encode, type_of
from till_events.ids import new_id
from till_events.order import OrderPaymentRecorded

assert catalogue
PLACE = ("till.order", 0)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def paid(customer="ann", amount=100):
    return OrderPaymentRecorded(
        occurred_at=NOON,
        order_id="o-1",
        store_id="S1",
        payment_id="p-1",
        method="card",
        amount_minor=amount,
        paid_minor=amount,
        currency="USD",
        customer_id=customer,
    )


class Partition:
    """One partition of a topic, written to as a relay writes: positions may jump (private events, other partitions)."""

    def __init__(self, after=0):
        self.records = []
        self._positions = count(after + 1)
        self._last = after

    def publish(self, event=None, *, value=None, kind=None, key=None, skip=0):
        for _ in range(skip):
            next(self._positions)
        position = next(self._positions)
        key = (key or event.customer_id).encode()
        headers = [
            ("ce_id", new_id().encode()),
            ("ce_type", (kind or type_of(event)).encode()),
            ("ce_subject", b"order-1"),
            ("ce_sequence", b"1"),
            ("ce_partitionkey", key),
            ("ce_correlationid", b"c-1"),
            ("ce_logposition", b"%d" % position),
            ("ce_prevposition", b"%d" % self._last),
        ]
        self._last = position
        self.records.append(Record(len(self.records), key, value if value is not None else encode(event), headers))
        return self

    def again(self, first, last):
        """Publish a range of records once more, as a relay does that died before it could mark them."""
        for record in self.records[first:last]:
            self.records.append(Record(len(self.records), record.key, record.value, record.headers))
        return self

    def rubbish(self, value=b"\xff", key=None):
        self.records.append(Record(len(self.records), key, value, []))
        return self

    def holding(self, records):
        """Copy records of another partition to the end of this one."""
        for record in records:
            self.records.append(Record(len(self.records), record.key, record.value, record.headers))
        return self
