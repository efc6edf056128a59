"""Records of the relay in batches of its own."""

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from till_platform.relay.packing import packed
from till_platform.relay.rows import Outgoing

SIZE = 4_096


def record(number, partition=0, size=10):
    return Outgoing(partition, b"ann", b"%d" % number + b"." * size, [("ce_logposition", b"%d" % number)])


def read(batch):
    return [int(one.value.rstrip(b".")) for one in DefaultRecordBatch(bytes(batch._build()))]


def pack(records):
    return packed(records, lambda: BatchBuilder(SIZE, 0))


def test_records_of_a_partition_stay_in_order_over_as_many_batches_as_they_need():
    batches = pack([record(number, partition=number % 2, size=100) for number in range(200)])
    by_partition = {0: [], 1: []}
    for partition, batch in batches:
        by_partition[partition] += read(batch)
    assert by_partition == {0: list(range(0, 200, 2)), 1: list(range(1, 200, 2))}
    assert len(batches) > 2


def test_a_record_larger_than_a_batch_is_one_of_its_own():
    batches = pack([record(1), record(2, size=3 * SIZE), record(3)])
    assert [read(batch) for _, batch in batches] == [[1], [2], [3]]


def test_headers_key_and_value_arrive_as_they_are():
    ((partition, batch),) = pack([record(7, partition=3)])
    (found,) = DefaultRecordBatch(bytes(batch._build()))
    assert partition == 3
    assert (found.key, found.value) == (b"ann", b"7" + b"." * 10)
    assert found.headers == [("ce_logposition", b"7")]


def test_a_batch_is_closed_so_that_nothing_waits_for_company():
    assert all(batch.closed() for _, batch in pack([record(1), record(2, partition=1)]))
