"""Records in batches of their partitions, made here and not by the client, for whom each record is a promise of its own.

A batch that is closed is sent at once: the relay has taken all there is, and nothing comes that would be worth waiting for.
"""

from collections.abc import Callable, Iterable

from aiokafka.producer.message_accumulator import BatchBuilder

from till_platform.relay.rows import Outgoing


def packed(records: Iterable[Outgoing], new_batch: Callable[[], BatchBuilder]) -> list[tuple[int, BatchBuilder]]:
    """Return closed batches with their partitions, in the order in which they are to be sent. One record fits in any batch."""
    batches: list[tuple[int, BatchBuilder]] = []
    filling: dict[int, BatchBuilder] = {}
    for record in records:
        batch = filling.get(record.partition)
        if batch is None or not _add(batch, record):
            batch = filling[record.partition] = new_batch()
            batches.append((record.partition, batch))
            _add(batch, record)
    for _, batch in batches:
        batch.close()
    return batches


def _add(batch: BatchBuilder, record: Outgoing) -> bool:
    """Add a record, if there is room for it; a batch that has none is closed by that."""
    added = batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return added is not None
