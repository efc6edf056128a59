"""FastStream 0.7.8 in three ways: `one` record a time, `batch` of 500 as its documentation shows, `raw` bytes in batches of 5,000, folded.
`documented` is `batch` as it comes: Kafka's client commits what it hands out.

`NACK_ON_ERROR` is the only policy of its that keeps a record whose handler raised. At least once: what is between the transaction and the
commit of the offset is counted twice after a kill.
"""

import asyncio

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from job import INCREMENT, INCREMENT_ONE, SET_ORDER, SET_ORDERS, Fold, job, read
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

JOB = job()
HOW = {"group_id": JOB.group, "auto_offset_reset": "earliest", "ack_policy": AckPolicy.NACK_ON_ERROR}
broker = KafkaBroker(JOB.kafka, logger=None)
app = FastStream(broker)
pool = AsyncConnectionPool(JOB.pg, min_size=1, max_size=4, open=False)


class Paid(BaseModel):
    """What the handlers are given."""

    order_id: str
    payment_id: str
    method: str
    amount_minor: int
    paid_minor: int
    customer_id: str


def order(paid: Paid) -> tuple[object, ...]:
    return (paid.order_id, paid.customer_id, paid.payment_id, paid.method, paid.amount_minor, paid.paid_minor)


async def one(paid: Paid) -> None:
    async with pool.connection() as connection:
        await connection.execute(INCREMENT_ONE, [paid.customer_id, paid.amount_minor // 100])
        await connection.execute(SET_ORDER, order(paid))


async def batch(payments: list[Paid]) -> None:
    async with pool.connection() as connection, connection.cursor() as cursor:
        await cursor.executemany(INCREMENT_ONE, [(paid.customer_id, paid.amount_minor // 100) for paid in payments])
        await cursor.executemany(SET_ORDER, [order(paid) for paid in payments])


async def raw(values: list[bytes]) -> None:
    fold = Fold()
    for value in values:
        fold.take(read(value))
    async with pool.connection() as connection:
        await connection.execute(INCREMENT, fold.balances())
        await connection.execute(SET_ORDERS, fold.last_payments())


async def as_it_is(message):
    return message.body


if JOB.mode == "one":
    broker.subscriber(JOB.topic, **HOW)(one)
elif JOB.mode == "documented":
    broker.subscriber(JOB.topic, batch=True, max_records=500, group_id=JOB.group, auto_offset_reset="earliest")(batch)
elif JOB.mode == "batch":
    broker.subscriber(JOB.topic, batch=True, max_records=500, **HOW)(batch)
else:
    broker.subscriber(
        JOB.topic,
        batch=True,
        max_records=5_000,
        decoder=as_it_is,
        fetch_max_bytes=16_000_000,
        max_partition_fetch_bytes=4_000_000,
        **HOW,
    )(raw)


async def main() -> None:
    await pool.open()
    await app.run()


if __name__ == "__main__":
    asyncio.run(main())
