"""The least that has to happen: fetch, decode, fold, write each table once, the offsets in the same transaction, the next fetch meanwhile.

Mode `quiet`: with Python's cycle collector set as our worker sets it.

No group, no dead letters, no check of repeats and holes, no compare-and-set, no telemetry.
"""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from job import INCREMENT, SET_ORDERS, Fold, job, read

JOB = job()
CHECKPOINTS = "CREATE TABLE checkpoint (partition int PRIMARY KEY, next_offset bigint NOT NULL)"
MOVE = """
INSERT INTO checkpoint SELECT * FROM unnest(%s::int[], %s::bigint[])
ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset
"""


def write(connection, fold, offsets):
    with connection.transaction():
        connection.execute(INCREMENT, fold.balances())
        connection.execute(SET_ORDERS, fold.last_payments())
        connection.execute(MOVE, [list(offsets), list(offsets.values())])


async def main():
    connection = psycopg.connect(JOB.pg, autocommit=True)
    connection.execute(CHECKPOINTS)
    if JOB.mode == "quiet":
        gc.set_threshold(50_000)
    thread, loop = ThreadPoolExecutor(1), asyncio.get_running_loop()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=JOB.kafka,
        auto_offset_reset="earliest",
        fetch_max_bytes=16_000_000,
        max_partition_fetch_bytes=4_000_000,
    )
    await consumer.start()
    partitions = [TopicPartition(JOB.topic, number) for number in range(JOB.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    writing = None
    while True:
        polled = await consumer.getmany(timeout_ms=200, max_records=5_000)
        fold, offsets = Fold(), {}
        for partition, records in polled.items():
            for record in records:
                fold.take(read(record.value))
            offsets[partition.partition] = records[-1].offset + 1
        if writing:
            await writing
            writing = None
        if offsets:
            writing = loop.run_in_executor(thread, write, connection, fold, offsets)


if __name__ == "__main__":
    asyncio.run(main())
